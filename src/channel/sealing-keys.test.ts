import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_SEALING_KEYS, MAX_SEALING_KEYS_OF_ONE, type SealingKey } from './messages.ts';
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
      for (const each of order) held.add([each], 'leader', NOW);
      expect(held.current(NOW)?.id).toBe('a_______');
      expect(held.all()).toHaveLength(4);
    }),
  );
});

test('says whether there are others than before', () => {
  const held = new SealingKeys();
  expect(held.add([key('a', 1)], 'leader', NOW)).toBe(true);
  expect(held.add([key('a', 1)], 'leader', NOW)).toBe(false);
  expect(held.add([], 'leader', NOW)).toBe(false);
  expect(held.add([key('b', 2)], 'leader', NOW)).toBe(true);
});

describe('a key', () => {
  test('seals for a day, opens for the life of its last session, and goes', () => {
    const held = new SealingKeys();
    held.add([key('a', 0)], 'leader', NOW);
    expect(held.current(NOW + 23 * HOUR)).toBeDefined();
    expect(held.current(NOW + 24 * HOUR)).toBeUndefined();
    held.add([], 'leader', NOW + 35 * HOUR);
    expect(held.find('a_______')).toBeDefined();
    held.add([], 'leader', NOW + 36 * HOUR);
    expect(held.find('a_______')).toBeUndefined();
  });

  test('of the future, which would stay for ever, is not taken', () => {
    const held = new SealingKeys();
    expect(held.add([key('ahead', -2)], 'leader', NOW)).toBe(false);
    expect(held.add([key('clock', -0.5)], 'leader', NOW)).toBe(true);
  });
});

const many = (name: string, count: number, ageHours: number): SealingKey[] =>
  Array.from({ length: count }, (_, index) => key(`${name}${index}`, ageHours));
const idsOf = (held: SealingKeys): string[] => held.all().map(({ id }) => id);

test('there is always room for one that seals, whoever invents how many', () => {
  const held = new SealingKeys();
  held.add(many('old', 50, 30), 'leader', NOW);
  expect(held.current(NOW)).toBeUndefined();
  held.add([key('mine', 0)], 'own', NOW);
  expect(held.current(NOW)?.id).toBe('mine____');
  held.add(many('new', 50, 1), 'leader', NOW);
  expect(held.all()).toHaveLength(MAX_SEALING_KEYS);
});

test('keys that are known stay, whatever age others claim, and the own among them in any case', () => {
  const held = new SealingKeys();
  held.add(many('known', 50, 1), 'leader', NOW);
  const before = idsOf(held);
  expect(held.add(many('aged', 50, 20), 'leader', NOW)).toBe(false);
  expect(idsOf(held)).toEqual(before);
  held.add([key('mine', 0)], 'own', NOW);
  expect(idsOf(held)).toContain('mine____');
  held.add(many('aged', 50, 20), 'leader', NOW);
  expect(idsOf(held)).toContain('mine____');
  // As it grows old, too.
  held.add([], 'leader', NOW + 30 * HOUR);
  expect(idsOf(held)).toContain('mine____');
});

test('one gateway brings only so many, and another still brings its own', () => {
  const held = new SealingKeys();
  const one = { podUid: 'one' };
  held.add(many('one', 6, 20), one, NOW);
  // What is known already is not its own.
  held.add([key('theirs', 1)], { podUid: 'two' }, NOW);
  held.add([key('theirs', 1), ...many('more', 50, 30)], one, NOW);
  expect(held.all()).toHaveLength(MAX_SEALING_KEYS_OF_ONE + 1);
  // As old keys go, there is room for others.
  held.add(many('late', 50, 0), one, NOW + 18 * HOUR);
  expect(idsOf(held).filter((id) => !id.startsWith('late'))).toEqual(['theirs__']);
  expect(held.all()).toHaveLength(MAX_SEALING_KEYS_OF_ONE + 1);
});

test('keys of one gateway that only open do not keep out the one that it seals with', () => {
  const held = new SealingKeys();
  const one = { podUid: 'one' };
  // Told together, the oldest first.
  held.add([...many('old', MAX_SEALING_KEYS_OF_ONE, 30), key('seals', 1)], one, NOW);
  expect(held.current(NOW)?.id).toBe('seals___');
  expect(held.all()).toHaveLength(MAX_SEALING_KEYS_OF_ONE);
  // And where they are held already, of which none of another gives way.
  held.add([key('theirs', 30)], { podUid: 'two' }, NOW);
  expect(held.add([key('later', 0)], one, NOW)).toBe(true);
  expect(idsOf(held)).toEqual(expect.arrayContaining(['seals___', 'later___', 'theirs__']));
  expect(held.all()).toHaveLength(MAX_SEALING_KEYS_OF_ONE + 1);
});

test('gateways that sign in before a leader is there all keep what they sealed with', () => {
  const leader = new SealingKeys();
  const gateways = many('of', 8, 0).map((own) => {
    const held = new SealingKeys();
    held.add([own], 'own', NOW);
    return held;
  });
  for (const [index, held] of gateways.entries()) leader.add(held.all(), { podUid: String(index) }, NOW);
  for (const held of gateways) held.add(leader.all(), 'leader', NOW);
  for (const held of gateways) expect(idsOf(held)).toEqual(idsOf(leader));
  expect(leader.all()).toHaveLength(8);
});
