import { expect, test } from '@jest/globals';
import { seconds } from './parsers.ts';

test.each([
  ['90', 90],
  ['90s', 90],
  ['30m', 1800],
  ['576h', 2_073_600],
])('%s is %i seconds', (text, expected) => expect(seconds(text)).toBe(expected));

test.each(['600h', '9999999', '9999999h'])('%s is more than a timer can wait for', (text) => {
  expect(() => seconds(text)).toThrow('at most 24 days');
});
