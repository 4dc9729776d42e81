import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_SEALING_KEYS, type SealingKey } from './messages.ts';
import { SealingKeys } from './sealing-keys.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function key(id: string, ageHours: number): SealingKey {
  return { id: id.padEnd(8, '_'), madeAtMs: NOW - ageHours * HOUR, key: id.padEnd(43, 'A') };
}

test('all who hold the same keys seal with the same, in whatever order they came', () => {
  const keys = [key('a', 3), key('b', 3), key('c', 1), key('old', 30)];
  fc.assert(
    fc.property(fc.shuffledSubarray(keys, { minLength: keys.length }), (order) => {
      const held = new SealingKeys();
      for (const each of order) held.add([each], NOW);
      expect(held.current(NOW)?.id).toBe('a_______');
      expect(held.all()).toHaveLength(4);
    }),
  );
});

test('says whether there are others than before', () => {
  const held = new SealingKeys();
  expect(held.add([key('a', 1)], NOW)).toBe(true);
  expect(held.add([key('a', 1)], NOW)).toBe(false);
  expect(held.add([], NOW)).toBe(false);
  expect(held.add([key('b', 2)], NOW)).toBe(true);
});

describe('a key', () => {
  test('seals for a day, opens for the life of its last session, and goes', () => {
    const held = new SealingKeys();
    held.add([key('a', 0)], NOW);
    expect(held.current(NOW + 23 * HOUR)).toBeDefined();
    expect(held.current(NOW + 24 * HOUR)).toBeUndefined();
    held.add([], NOW + 35 * HOUR);
    expect(held.find('a_______')).toBeDefined();
    held.add([], NOW + 36 * HOUR);
    expect(held.find('a_______')).toBeUndefined();
  });

  test('of the future, which would stay for ever, is not taken', () => {
    const held = new SealingKeys();
    expect(held.add([key('ahead', -2)], NOW)).toBe(false);
    expect(held.add([key('clock', -0.5)], NOW)).toBe(true);
  });
});

test('there is always room for one that seals, whoever invents how many', () => {
  const held = new SealingKeys();
  held.add(
    Array.from({ length: 20 }, (_, index) => key(`old${index}`, 30)),
    NOW,
  );
  expect(held.current(NOW)).toBeUndefined();
  held.add([key('mine', 0)], NOW);
  expect(held.current(NOW)?.id).toBe('mine____');
  held.add(
    Array.from({ length: 20 }, (_, index) => key(`new${index}`, 1)),
    NOW,
  );
  expect(held.all().length).toBeLessThanOrEqual(MAX_SEALING_KEYS);
});
