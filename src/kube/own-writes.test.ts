import { beforeEach, expect, test } from '@jest/globals';
import { OwnWrites } from './own-writes.ts';
import type { KubeObject } from './types.ts';

const REF = { namespace: 'n', name: 'x' };
let cached: KubeObject | undefined;
let now: number;
let writes: OwnWrites;

beforeEach(() => {
  cached = undefined;
  now = 0;
  writes = new OwnWrites({ get: () => cached }, () => now);
});

function object(uid: string, resourceVersion: string): KubeObject {
  return { metadata: { ...REF, uid, resourceVersion } };
}

test('nothing was written: the cache is not behind', () => {
  expect(writes.isBehind(REF)).toBe(false);
});

test.each<[string, KubeObject | undefined, boolean]>([
  ['absent', undefined, true],
  ['an older state', object('a', '9'), true],
  ['the written state', object('a', '10'), false],
  ['a newer state', object('a', '11'), false],
  ['a newer object of the name', object('b', '12'), false],
  ['an older object of the name', object('z', '8'), true],
])('after a write of version 10 and %s in the cache: behind is %s', (_title, state, behind) => {
  writes.noteWrite(object('a', '10'));
  cached = state;
  expect(writes.isBehind(REF)).toBe(behind);
});

test('the wait ends with the deletion of that object, not of an earlier one', () => {
  writes.noteWrite(object('b', '10'));
  writes.observe({ type: 'deleted', object: object('a', '9') });
  expect(writes.isBehind(REF)).toBe(true);
  writes.observe({ type: 'deleted', object: object('b', '11') });
  expect(writes.isBehind(REF)).toBe(false);
});

test('the wait ends with a list that began after the write, not before', () => {
  now = 100;
  writes.noteWrite(object('a', '10'));
  writes.listed(99);
  expect(writes.isBehind(REF)).toBe(true);
  writes.listed(101);
  expect(writes.isBehind(REF)).toBe(false);
});

test('the wait ends after 30 seconds', () => {
  writes.noteWrite(object('a', '10'));
  now = 29_999;
  expect(writes.isBehind(REF)).toBe(true);
  now = 30_000;
  expect(writes.isBehind(REF)).toBe(false);
});
