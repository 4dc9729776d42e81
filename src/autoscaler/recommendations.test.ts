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

test('those that leave the window do so together, at whole minutes', () => {
  const falling = Array.from({ length: 300 }, (_, second) => [1_000 * second, 400 - second] as const);
  const seen = Array.from({ length: 300 }, (_, second) =>
    highest(after([...falling, [1_000 * (300 + second), 1]], 300_000)),
  );
  expect([...new Set(seen)]).toEqual([399, 339, 279, 219, 159]);
});

test('of a short window at the ends of its fifths, and of none at once', () => {
  const falling = Array.from({ length: 100 }, (_, ms) => [ms, 200 - ms] as const);
  const seen = Array.from({ length: 100 }, (_, ms) => highest(after([...falling, [100 + ms, 1]])));
  expect([...new Set(seen)]).toEqual([199, 179, 159, 139, 119]);
  expect(
    highest(
      after(
        [
          [0, 5],
          [1, 2],
        ],
        0,
      ),
    ),
  ).toBe(2);
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
