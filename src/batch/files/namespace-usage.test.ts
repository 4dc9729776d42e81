import { beforeEach, expect, test } from '@jest/globals';
import { StoreUnavailable, type ObjectStore, type StoredObject } from '../../store/object-store.ts';
import { NamespaceUsage } from './namespace-usage.ts';

const KIB = 1024;

let now: number;
let stored: Record<string, number>;
let failure: Error | undefined;
let counts: number;
let usage: NamespaceUsage;

beforeEach(() => {
  [now, stored, failure, counts] = [
    0,
    { 'files/a/content/1': 60 * KIB, 'files/a/content/2': 40 * KIB, 'files/b/content/3': 1 },
    undefined,
    0,
  ];
  usage = new NamespaceUsage({ list } as Partial<ObjectStore> as ObjectStore, () => now);
});

async function* list(prefix: string): AsyncGenerator<StoredObject> {
  counts += 1;
  if (failure !== undefined) throw failure;
  for (const [key, bytes] of Object.entries(stored)) {
    if (key.startsWith(prefix)) yield { key, bytes, writtenAtMs: 0 };
  }
}

test('is the sum over the files of one namespace', async () => {
  expect(await usage.isBelow('a', 101 * KIB)).toBe(true);
  expect(await usage.isBelow('a', 100 * KIB)).toBe(false);
  expect(await usage.isBelow('b', 8 * KIB + 1)).toBe(true);
  expect(await usage.isBelow('none', 1 * KIB)).toBe(true);
});

test('has small files as of 8 KiB', async () => {
  expect(await usage.isBelow('b', 8 * KIB)).toBe(false);
  expect(await usage.isBelow('a', 108 * KIB)).toBe(true);
  usage.add('a', 1);
  expect(await usage.isBelow('a', 108 * KIB)).toBe(false);
});

test('is counted once in a while, and has what was added since', async () => {
  expect(await usage.isBelow('a', 150 * KIB)).toBe(true);
  usage.add('a', 41 * KIB);
  expect([await usage.isBelow('a', 150 * KIB), counts]).toEqual([true, 1]);
  usage.add('a', 9 * KIB);
  expect([await usage.isBelow('a', 150 * KIB), counts]).toEqual([false, 1]);
  now += 5_000;
  expect([await usage.isBelow('a', 150 * KIB), counts]).toEqual([true, 2]);
  now += 300_000;
  expect([await usage.isBelow('a', 150 * KIB), counts]).toEqual([true, 3]);
});

test('is counted anew soon where there is no room, for files that were deleted', async () => {
  expect(await usage.isBelow('a', 100 * KIB)).toBe(false);
  stored = {};
  expect(await usage.isBelow('a', 100 * KIB)).toBe(false);
  now += 5_000;
  expect(await usage.isBelow('a', 100 * KIB)).toBe(true);
});

test('is not known by a count that failed', async () => {
  failure = new StoreUnavailable('away');
  await expect(usage.isBelow('a', 100 * KIB)).rejects.toThrow('away');
  failure = undefined;
  expect(await usage.isBelow('a', 101 * KIB)).toBe(true);
});
