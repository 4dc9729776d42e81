import { expect, test } from '@jest/globals';
import { heldMs, planOf, startTimesMs, type Lifetime } from './lifetimes.ts';

function lifetime(parts: Partial<Lifetime>): Lifetime {
  return { createdAtMs: 0, scheduledAtMs: undefined, readyAtMs: undefined, endedAtMs: undefined, ...parts };
}

test('a replica holds its GPUs from its scheduling to its end, as far as that is scored', () => {
  expect(heldMs([lifetime({ scheduledAtMs: 50 })], 100, 400)).toBe(300);
  expect(heldMs([lifetime({ scheduledAtMs: 150, endedAtMs: 250 })], 100, 400)).toBe(100);
  expect(heldMs([lifetime({}), lifetime({ scheduledAtMs: 10, endedAtMs: 90 })], 100, 400)).toBe(0);
  expect(heldMs([lifetime({ scheduledAtMs: 0 }), lifetime({ scheduledAtMs: 300 })], 100, 400)).toBe(400);
});

test('starts are those of replicas that came within the time and served', () => {
  const lifetimes = [
    lifetime({ createdAtMs: 90, readyAtMs: 110 }),
    lifetime({ createdAtMs: 100, readyAtMs: 120 }),
    lifetime({ createdAtMs: 130 }),
  ];
  expect(startTimesMs(lifetimes, 100, 200)).toEqual([20]);
});

test('a plan begins with what was wanted at its start', () => {
  const wanted = [
    [10, 2],
    [20, 3],
    [35, 4],
  ] as const;
  expect(planOf(wanted, 30)).toEqual([
    [0, 3],
    [5, 4],
  ]);
});
