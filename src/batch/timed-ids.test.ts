import { expect, test } from '@jest/globals';
import { firstIdAt, isTimedId, timeOf, TimedIds } from './timed-ids.ts';

const MS = Date.UTC(2026, 10, 22);

test('an id is the time and what is random', () => {
  const ids = new TimedIds(
    () => MS,
    () => Buffer.from('00112233445566778899', 'hex'),
  );
  expect(ids.next()).toBe(`${MS.toString(16).padStart(12, '0')}00112233445566778899`);
});

test('ids rise within a millisecond, and while the clock goes back', () => {
  let now = MS;
  const ids = new TimedIds(() => now);
  const made = Array.from({ length: 1000 }, () => ids.next());
  now -= 60_000;
  made.push(ids.next());
  now += 120_000;
  made.push(ids.next());
  expect(made).toEqual([...new Set(made)].toSorted());
  expect(timeOf(made.at(-1) ?? '')).toBe(MS + 60_000);
  expect(made.every(isTimedId)).toBe(true);
});

test('the first id of a millisecond is before all others of it', () => {
  const ids = new TimedIds(() => MS);
  expect(firstIdAt(MS) < ids.next()).toBe(true);
  expect(firstIdAt(MS + 1) > ids.next()).toBe(true);
  expect(timeOf(firstIdAt(MS))).toBe(MS);
});

test.each(['', 'A'.repeat(32), '0'.repeat(31), '0'.repeat(33), `${'0'.repeat(31)}/`])('%j is no id', (id) => {
  expect(isTimedId(id)).toBe(false);
});
