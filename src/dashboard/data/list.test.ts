import { expect, test } from '@jest/globals';
import { sample, summary } from './fixtures.ts';
import { filterDeployments, keepOrder, nextSort, sortDeployments } from './list.ts';

const failed = { desired: 1, ready: 0, starting: 0, draining: 0, failed: 1, min: 1, max: 1 };
const SERVING = summary('b', { live: sample(1, { requests_per_second: 5 }) });
const FAILING = summary('c', {
  ready: 'False',
  reason: 'ModelGated',
  replicas: failed,
  model: 'google/gemma-3-27b-it',
});
const QUIET = summary('a');
const ALL = [SERVING, FAILING, QUIET];

function ids(deployments: readonly { id: string }[]): string {
  return deployments.map(({ id }) => id).join('');
}

test.each([
  ['', 'bca'],
  ['GEMMA', 'c'],
  ['not serving', 'c'],
  ['gated a100', 'c'],
  ['serving qwen', 'ba'],
  ['nothing', ''],
])('the filter %p leaves %p', (filter, left) => expect(ids(filterDeployments(ALL, filter))).toBe(left));

test('what needs a person comes first, then by id', () => {
  expect(ids(sortDeployments(ALL, { by: 'state', descending: false }))).toBe('cab');
  expect(ids(sortDeployments(ALL, { by: 'id', descending: true }))).toBe('cba');
  expect(ids(sortDeployments(ALL, { by: 'rate', descending: true }))).toBe('bac');
});

test('a second press turns the order round; numbers begin with the largest', () => {
  const byRate = nextSort({ by: 'id', descending: false }, 'rate');
  expect(byRate).toEqual({ by: 'rate', descending: true });
  expect(nextSort(byRate, 'rate')).toEqual({ by: 'rate', descending: false });
  expect(nextSort(byRate, 'id')).toEqual({ by: 'id', descending: false });
});

test('an order that is kept takes what is new at its end', () => {
  expect(ids(keepOrder(ALL, ['a', 'gone', 'b']))).toBe('abc');
});
