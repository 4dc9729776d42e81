import { expect, test } from '@jest/globals';
import { ClockWatch } from './clock-watch.ts';

const HOUR_MS = 3_600_000;

test.each([
  ['ahead', 90 * 24 * HOUR_MS],
  ['back', -24 * HOUR_MS],
])('a clock that jumps %s is not believed for an hour', (_sentence, jumpMs) => {
  let [now, offset] = [0, 0];
  const watch = new ClockWatch({ wall: () => Date.UTC(2026, 10, 22) + now + offset, monotonic: () => now });
  expect(watch.isSteady()).toBe(true);
  now += 24 * HOUR_MS;
  expect(watch.isSteady()).toBe(true);
  offset = jumpMs;
  expect(watch.isSteady()).toBe(false);
  now += HOUR_MS - 1;
  expect(watch.isSteady()).toBe(false);
  now += 1;
  expect(watch.isSteady()).toBe(true);
  // Within the hour it is put right: that is a jump as well.
  offset = 0;
  expect(watch.isSteady()).toBe(false);
});

test('a clock that is corrected by little stays believed', () => {
  let now = 0;
  const watch = new ClockWatch({ wall: () => 1.1 * now, monotonic: () => now });
  for (; now < HOUR_MS; now += 60_000) expect(watch.isSteady()).toBe(true);
});
