import { expect, test } from '@jest/globals';
import { counted, formatAge, formatMilliseconds, formatMoney, formatNumber, formatShare, NOTHING } from './format.ts';

test.each([
  [0, '0'],
  [0.4213, '0.421'],
  [12.345, '12.3'],
  [99.96, '100'],
  [1240.4, '1,240'],
  [null, NOTHING],
])('number %p is %p', (value, text) => expect(formatNumber(value)).toBe(text));

test.each([
  [0, '0 ms'],
  [420.4, '420 ms'],
  [999.7, '1 s'],
  [1240, '1.24 s'],
  [59_960, '1 min'],
  [125_000, '2 min 5 s'],
  [null, NOTHING],
])('%p milliseconds are %p', (value, text) => expect(formatMilliseconds(value)).toBe(text));

test.each([
  [0, '0 %'],
  [0.426, '43 %'],
  [1, '100 %'],
  [null, NOTHING],
])('share %p is %p', (value, text) => expect(formatShare(value)).toBe(text));

test.each([
  [1000, '0 s'],
  [1005, '0 s'],
  [955, '45 s'],
  [940, '1 min'],
  [1000 - 7199, '1 h'],
  [1000 - 86_400 * 5, '5 d'],
  [null, NOTHING],
])('since %p is %p', (since, text) => expect(formatAge(since, 1000)).toBe(text));

test.each([
  ['3.2', 'USD', '$3.20'],
  ['76.805', 'EUR', '€76.81'],
  ['0.00421', 'USD', '$0.0042'],
  ['12345678901234567.89', 'USD', '$12,345,678,901,234,567.89'],
  ['3.2', 'credits', '3.2 credits'],
  [null, 'USD', NOTHING],
])('%p %p is %p', (amount, currency, text) => expect(formatMoney(amount, currency)).toBe(text));

test('one and several', () => {
  expect(counted(1, 'replica')).toBe('1 replica');
  expect(counted(1500, 'replica')).toBe('1,500 replicas');
});
