import { expect, test } from '@jest/globals';
import { SharedKeys } from './shared-keys.ts';

let nowMs: number;

function start(): SharedKeys {
  nowMs = 1_800_000_000_000;
  return new SharedKeys(() => nowMs);
}

test('keys of others are still to come until a leader has been there for a while', () => {
  const keys = start();
  nowMs += 29_999;
  expect(keys.others).toBe('known soon');
  nowMs += 1;
  expect(keys.others).toBe('known later');
  keys.leaders = 1;
  expect(keys.others).toBe('known soon');
  nowMs += 30_000;
  expect(keys.others).toBeUndefined();
  keys.leaders = 0;
  expect(keys.others).toBe('known later');
});

test('a channel that breaks again and again does not leave them to come for ever', () => {
  const keys = start();
  for (let second = 0; second < 30; second += 10) {
    keys.leaders = 1;
    expect(keys.others).toBe('known soon');
    nowMs += 9_000;
    keys.leaders = 0;
    expect(keys.others).toBe('known soon');
    nowMs += 1_000;
  }
  keys.leaders = 1;
  expect(keys.others).toBeUndefined();
  keys.leaders = 2;
  keys.leaders = 1;
  expect(keys.others).toBeUndefined();
});
