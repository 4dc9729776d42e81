import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { paced } from './paced.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('the first call acts at once, those after it together', () => {
  let acts = 0;
  const call = paced(() => acts++, 200);
  call();
  expect(acts).toBe(1);
  for (let count = 0; count < 100; count++) call();
  expect(acts).toBe(1);
  jest.advanceTimersByTime(200);
  expect(acts).toBe(2);
});

test('nothing acts without a call', () => {
  let acts = 0;
  const call = paced(() => acts++, 200);
  call();
  jest.advanceTimersByTime(1000);
  expect(acts).toBe(1);
  call();
  expect(acts).toBe(2);
  call();
  jest.advanceTimersByTime(199);
  expect(acts).toBe(2);
  jest.advanceTimersByTime(1);
  expect(acts).toBe(3);
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(200);
  expect(jest.getTimerCount()).toBe(0);
});
