import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Streak } from './streak.ts';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Sees it at these times (in milliseconds), `-` being something else, and returns what was believed each time. */
function beliefs(...sights: (number | '-')[]): boolean[] {
  const streak = new Streak(3, 1000);
  const startedAt = performance.now();
  return sights.flatMap((at) => {
    if (at === '-') {
      streak.end();
      return [];
    }
    jest.advanceTimersByTime(startedAt + at - performance.now());
    return [streak.add()];
  });
}

test.each<[string, (number | '-')[], boolean[]]>([
  ['often enough and for long enough', [0, 500, 1000, 1001], [false, false, true, true]],
  ['for long enough, not often enough', [0, 5000], [false, false]],
  ['often enough, not for long enough', [0, 1, 2, 3], [false, false, false, false]],
  ['with something else in between', [0, 500, '-', 1000, 1500, 2000], [false, false, false, false, true]],
])('%s', (_title, sights, expected) => {
  expect(beliefs(...sights)).toEqual(expected);
});
