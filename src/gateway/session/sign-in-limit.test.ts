import { expect, test } from '@jest/globals';
import { SignInLimit } from './sign-in-limit.ts';

test('ten failures end the attempts of one for a minute, and nobody else’s', () => {
  const limit = new SignInLimit();
  for (let attempt = 0; attempt < 10; attempt += 1) {
    expect(limit.allows('a', attempt)).toBe(true);
    limit.failed('a', attempt);
  }
  expect(limit.allows('a', 60_000)).toBe(false);
  expect(limit.allows('b', 60_000)).toBe(true);
  expect(limit.allows('a', 60_001)).toBe(true);
  limit.failed('a', 60_001);
  expect(limit.allows('a', 60_002)).toBe(true);
});

test('it remembers so many and no more', () => {
  const limit = new SignInLimit();
  const fail = (who: string): void => {
    for (let attempt = 0; attempt < 10; attempt += 1) limit.failed(who, 0);
  };
  fail('first');
  for (let index = 0; index < 10_000; index += 1) limit.failed(`other ${index}`, 0);
  expect(limit.allows('first', 1)).toBe(true);
  fail('last');
  expect(limit.allows('last', 1)).toBe(false);
});
