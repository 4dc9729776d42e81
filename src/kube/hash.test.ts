import { expect, test } from '@jest/globals';
import { canonicalJson, contentHash } from './hash.ts';

test('the order of keys does not matter to the hash, that of lists does', () => {
  const metadata = { name: 'x' };
  const hash = contentHash({ kind: 'A', metadata, apiVersion: 'v1' });
  expect(hash).toMatch(/^[0-9a-f]{32}$/);
  expect(contentHash({ apiVersion: 'v1', kind: 'A', metadata })).toBe(hash);
  expect(canonicalJson({ b: [2, 1], a: { d: 1, c: undefined } })).toBe('{"a":{"d":1},"b":[2,1]}');
});
