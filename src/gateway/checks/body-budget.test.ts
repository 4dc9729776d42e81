import { expect, test } from '@jest/globals';
import { BodyBudget } from './body-budget.ts';

test('one key has at most half, all together the whole', () => {
  const budget = new BodyBudget(100);
  const giveBack = budget.take('a', 50);
  expect(budget.take('a', 1)).toBeUndefined();
  expect(budget.take('b', 30)).toBeDefined();
  expect(budget.take('c', 21)).toBeUndefined();
  giveBack?.();
  expect(budget.take('c', 21)).toBeDefined();
  expect(budget.take('a', 49)).toBeDefined();
});
