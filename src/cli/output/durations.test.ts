import { expect, test } from '@jest/globals';
import { age, duration } from './durations.ts';

test.each([
  [0, '0s'],
  [-5, '0s'],
  [45.9, '45s'],
  [90, '1m30s'],
  [720, '12m'],
  [3 * 3600 + 600, '3h10m'],
  [26 * 3600, '1d2h'],
  [90 * 86_400 + 5000, '90d'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('an age that is not known is empty', () => {
  const now = new Date('2026-01-01T01:00:00Z');
  expect(age(undefined, now)).toBe('');
  expect(age('nonsense', now)).toBe('');
  expect(age('2026-01-01T00:59:00Z', now)).toBe('1m');
});
