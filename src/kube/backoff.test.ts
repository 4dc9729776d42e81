import { expect, test } from '@jest/globals';
import { backoffDelay, pause } from './backoff.ts';

test.each([
  [0, 0, 400],
  [0, 0.999_999, 800],
  [3, 0.999_999, 6400],
  [10, 0.999_999, 30_000],
  [10, 0, 15_000],
  [5000, 0, 15_000],
])('attempt %d with the draw %d waits %d ms', (attempt, draw, ms) => {
  expect(Math.round(backoffDelay(attempt, { baseMs: 800, maxMs: 30_000 }, () => draw))).toBe(ms);
});

test('a pause ends with its signal, also one that has aborted before', async () => {
  const controller = new AbortController();
  const paused = pause(60_000, controller.signal);
  controller.abort();
  await expect(paused).resolves.toBeUndefined();
  await expect(pause(60_000, controller.signal)).resolves.toBeUndefined();
});
