import { expect, test } from '@jest/globals';
import { arrivingWork, countsOf, highestAhead, planOf, smooth, STEP_MS } from './plan-grid.ts';

test('work counts output tokens nine times, per second', () => {
  const requests = [
    { arrivalMs: 0, promptTokens: 100, outputTokens: 100 },
    { arrivalMs: STEP_MS, promptTokens: 500, outputTokens: 0 },
  ];
  const workload = { name: '', requests, warmUpMs: 0, endMs: 2 * STEP_MS, minReplicas: 1 };
  expect([...arrivingWork(workload)]).toEqual([200, 100]);
});

test('smoothing averages around each value, and only what there is at the ends', () => {
  expect([...smooth(Float64Array.of(0, 3, 0, 3), 3)]).toEqual([1.5, 1, 2, 1.5]);
});

test('the highest ahead is wanted early enough', () => {
  expect(highestAhead([1, 1, 1, 4, 1, 2], 2)).toEqual([1, 4, 4, 4, 2, 2]);
  expect(highestAhead([3, 1, 2], 0)).toEqual([3, 1, 2]);
});

test('a plan names the changes, and its counts never fall below it', () => {
  expect(planOf([2, 2, 3, 1])).toEqual([
    [0, 2],
    [2 * STEP_MS, 3],
    [3 * STEP_MS, 1],
  ]);
  const plan = [
    [0, 2],
    [STEP_MS + 1, 5],
    [STEP_MS + 2, 1],
    [2 * STEP_MS, 0],
  ] as const;
  expect(countsOf(plan, 4)).toEqual([2, 5, 0, 0]);
});
