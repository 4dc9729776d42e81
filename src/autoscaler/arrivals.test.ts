import { describe, expect, test } from '@jest/globals';
import {
  addArrivals,
  addScatter,
  POISSON,
  provenRate,
  provenSlope,
  rateOver,
  trend,
  type ArrivalHistory,
  type Scatter,
} from './arrivals.ts';

const SLOT_MS = 5_000;

/** Slots of five seconds with these arrivals, the last of them ending at the given time. */
function history(arrivals: number[], endMs = arrivals.length * SLOT_MS): ArrivalHistory {
  return arrivals.reduce<ArrivalHistory>(
    (all, count, index) =>
      addArrivals(all, {
        endMs: endMs - (arrivals.length - 1 - index) * SLOT_MS,
        intervalMs: SLOT_MS,
        arrivals: count,
      }),
    [],
  );
}

function minutes(counts: number[], scatter: Scatter = POISSON): Scatter {
  return counts.reduce(
    (before, count) => addScatter(before, { endMs: 0, intervalMs: 60_000, arrivals: count }),
    scatter,
  );
}

describe('the rate', () => {
  test('is that of the window, and of what was seen of it', () => {
    const slots = history([100, 5, 10, 15]);
    expect(rateOver(slots, 15_000)).toEqual({ rate: 2, seenMs: 15_000 });
    expect(rateOver(history([10]), 60_000)).toEqual({ rate: 2, seenMs: 5_000 });
    expect(rateOver([], 60_000)).toEqual({ rate: 0, seenMs: 0 });
  });

  test('that is proven is below it, more so of few requests and of bursts', () => {
    expect(provenRate(history([50]), 5_000, 1)).toBeCloseTo(10 - 1.64 * Math.sqrt(2), 5);
    expect(provenRate(history([1]), 5_000, 1)).toBe(0);
    expect(provenRate(history([50]), 5_000, 9)).toBeCloseTo(10 - 3 * 1.64 * Math.sqrt(2), 5);
  });

  test('is kept for a quarter of an hour', () => {
    expect(history(Array.from({ length: 400 }, () => 1))).toHaveLength(180);
  });
});

describe('the trend', () => {
  test('of a rate that rises by a tenth a second is that, at the middle of its window', () => {
    const line = trend(history(Array.from({ length: 60 }, (_, index) => 2.5 * index)), 300_000, 1);
    expect(line.slope).toBeCloseTo(0.1, 6);
    expect(line.sinceMiddleMs).toBe(150_000);
    expect(provenSlope(line, 1.5)).toBeGreaterThan(0.09);
  });

  test('of noise is none', () => {
    const noise = history(Array.from({ length: 60 }, (_, index) => 50 + ((index * 7919) % 15) - 7));
    expect(Math.abs(provenSlope(trend(noise, 300_000, 1), 1.5))).toBe(0);
  });

  test('of too short a time is none', () => {
    expect(provenSlope(trend(history([0, 10, 20]), 300_000, 1), 1.5)).toBe(0);
  });
});

describe('the scatter', () => {
  test('of Poisson arrivals is one, and so is that of none', () => {
    // Differences as large as chance makes them: the square of each is twice the mean.
    expect(minutes([100, 114, 100, 86, 100]).index).toBeCloseTo(1, 1);
    expect(minutes([0, 0, 0]).index).toBe(1);
  });

  test('of bursts grows, and that of a single jump does not grow for ever', () => {
    const bursts = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? 20 : 200));
    expect(minutes(bursts).index).toBeGreaterThan(20);
    const jump = minutes([100, 1_000]);
    expect(jump.index).toBeLessThan(1.3);
    expect(
      minutes(
        Array.from({ length: 60 }, () => 1_000),
        jump,
      ).index,
    ).toBeLessThan(1.1);
  });
});
