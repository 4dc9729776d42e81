import { expect, test } from '@jest/globals';
import { parseQuantity } from './quantity.ts';

test.each<[string | number, number]>([
  [4, 4],
  ['0', 0],
  ['500m', 0.5],
  ['100u', 0.0001],
  ['5n', 5e-9],
  ['1.5G', 1.5e9],
  ['.5k', 500],
  ['5.', 5],
  ['+2M', 2e6],
  ['200Gi', 214_748_364_800],
  ['1Ki', 1024],
  ['0.5Ti', 549_755_813_888],
  ['2Pi', 2 ** 51],
  ['1Ei', 2 ** 60],
  ['1E', 1e18],
  ['1E3', 1000],
  ['12e6', 12e6],
  ['5e-1', 0.5],
  ['1T', 1e12],
  ['1P', 1e15],
])('%p is %d', (quantity, expected) => {
  expect(parseQuantity(quantity)).toBe(expected);
});

test.each(['', 'Gi', '1 Gi', '1GB', '1K', '1ki', '1e', '1e3Gi', '0x10', '.', '1,5G', 'Infinity'])(
  '%p is refused',
  (text) => {
    expect(() => parseQuantity(text)).toThrow('is no Kubernetes quantity such as 200Gi');
  },
);
