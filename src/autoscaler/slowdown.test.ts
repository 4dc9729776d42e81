import { describe, expect, test } from '@jest/globals';
import { addSample, concurrencyAt, forget, NO_LINE, slowdown, tokenTime, type SlowdownLine } from './slowdown.ts';

function line(points: readonly (readonly [number, number])[]): SlowdownLine {
  return points.reduce((all, [batch, milliseconds]) => addSample(all, batch, milliseconds), NO_LINE);
}

describe('the time of a token', () => {
  test('is the line through what was seen, once batches differed enough', () => {
    const points = Array.from(
      { length: 200 },
      (_, index) => [1 + (index % 30), 8.5 + 0.25 * (1 + (index % 30))] as const,
    );
    const { base, perRequest } = tokenTime(line(points));
    expect(base).toBeCloseTo(8.5, 1);
    expect(perRequest).toBeCloseTo(0.25, 2);
  });

  test('leans on the prior where all batches were the same', () => {
    const { base, perRequest } = tokenTime(
      line([
        [5, 12],
        [5, 12],
        [5, 12],
      ]),
    );
    expect(base + 5 * perRequest).toBeCloseTo(12, 9);
    expect(perRequest / base).toBeCloseTo(0.04, 9);
  });

  test('never falls with the batch, nor starts from less than nothing', () => {
    const falling = tokenTime(line(Array.from({ length: 50 }, (_, index) => [index + 1, 100 - index] as const)));
    expect(falling.perRequest).toBeGreaterThan(0);
    const steep = tokenTime(line(Array.from({ length: 50 }, (_, index) => [index + 1, (index + 1) ** 2] as const)));
    expect(steep.base).toBeGreaterThan(0);
  });

  test('follows what is newer', () => {
    const old = forget(line(Array.from({ length: 100 }, (_, index) => [1 + (index % 30), 20] as const)), 0.01);
    const points = Array.from({ length: 100 }, (_, index) => [1 + (index % 30), 10] as const);
    const renewed = points.reduce((all, [batch, milliseconds]) => addSample(all, batch, milliseconds), old);
    expect(tokenTime(renewed).base).toBeLessThan(10.5);
  });
});

test('a concurrency and the slowdown at it are each other’s inverse', () => {
  const time = { base: 8.5, perRequest: 0.25 };
  expect(slowdown(time, 0)).toBe(1);
  // One in flight on average: whoever comes finds it there.
  expect(slowdown(time, 1)).toBeCloseTo(9 / 8.75, 9);
  expect(slowdown(time, concurrencyAt(time, 2.5))).toBeCloseTo(2.5, 9);
  expect(slowdown(time, concurrencyAt(time, 1.01))).toBeCloseTo(1.01, 9);
  expect(concurrencyAt(time, 0.5)).toBe(0);
});
