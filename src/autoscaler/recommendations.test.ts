import { expect, test } from '@jest/globals';
import { highest, recommend, type Recommendations } from './recommendations.ts';

function after(steps: readonly (readonly [number, number])[], windowMs = 100): Recommendations {
  return steps.reduce<Recommendations>((all, [nowMs, replicas]) => recommend(all, replicas, { nowMs, windowMs }), []);
}

test('the highest of the window counts, until it is out of it', () => {
  expect(
    highest(
      after([
        [0, 5],
        [50, 2],
        [99, 1],
      ]),
    ),
  ).toBe(5);
  expect(
    highest(
      after([
        [0, 5],
        [50, 2],
        [100, 1],
      ]),
    ),
  ).toBe(2);
  expect(
    highest(
      after([
        [0, 1],
        [50, 4],
      ]),
    ),
  ).toBe(4);
  expect(highest([])).toBe(0);
});

test('what can never be the highest again is not kept', () => {
  const steps = Array.from({ length: 1_000 }, (_, index) => [index, 1 + (index % 3)] as const);
  expect(after(steps, 1_000_000).length).toBeLessThanOrEqual(3);
});

test('after a clock went back, what is of a time to come lasts one window and no longer', () => {
  const back = after([
    [1_000, 5],
    [0, 1],
  ]);
  expect(highest(back)).toBe(5);
  expect(highest(recommend(back, 1, { nowMs: 101, windowMs: 100 }))).toBe(1);
});
