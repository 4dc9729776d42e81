import { expect, test } from '@jest/globals';
import { describeValues, everyMinute, toColumns } from './chart-data.ts';
import { sample } from './fixtures.ts';

const pickRate = [(one: ReturnType<typeof sample>) => one.requests_per_second];

test('a column for each line', () => {
  const picks = [...pickRate, () => 7];
  expect(toColumns([sample(1), sample(2, { requests_per_second: 3 })], picks)).toEqual({
    times: [1, 2],
    columns: [
      [1, 3],
      [7, 7],
    ],
  });
});

test('nothing is drawn over a gap', () => {
  expect(toColumns([sample(1), sample(101)], pickRate)).toEqual({ times: [1, 51, 101], columns: [[1, null, 1]] });
});

test('times rise', () => {
  expect(toColumns([sample(1), sample(1), sample(0), sample(2)], pickRate).times).toEqual([1, 2]);
});

test.each([
  [[], 'nothing in the last 15 minutes'],
  [[null], 'nothing in the last 15 minutes'],
  [[4, 4], '4 now, 4 all the time in the last 15 minutes'],
  [[4, 2, 9], '9 now, 2 to 9 in the last 15 minutes'],
  [[4, 2, null], 'nothing now, 2 to 4 in the last 15 minutes'],
])('%j in words', (values, words) => expect(describeValues(values, String)).toBe(words));

test('a table has the last value of each minute, the newest first', () => {
  expect(everyMinute([0, 30, 60, 90, 130], [[1, 2, 3, null, 5]])).toEqual([
    { time: 130, values: [5] },
    { time: 60, values: [3] },
    { time: 30, values: [2] },
  ]);
});
