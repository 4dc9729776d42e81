import { describe, expect, test } from '@jest/globals';
import { Histogram } from './histogram.ts';
import { nextArrival, seededRandom } from './random.ts';

function arrivals(seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: 10_000 }, () => nextArrival(50, random));
}

describe('Histogram', () => {
  test('its quantiles are within 2 % of those of the values themselves', () => {
    const random = seededRandom(7);
    const values = Array.from({ length: 20_000 }, () => nextArrival(1 / 40, random));
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    const sorted = values.toSorted((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.95, 0.99, 0.999]) {
      const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
      expect(histogram.quantile(share)).toBeGreaterThanOrEqual(exact * 0.999_999);
      expect(histogram.quantile(share)).toBeLessThanOrEqual(exact * 1.02);
    }
  });

  test('the longest is exact, also beyond the last bucket, and no quantile exceeds it', () => {
    const histogram = new Histogram();
    for (const value of [0, 5.004, 3_600_000]) histogram.record(value);
    expect(histogram.summary()).toEqual({
      p50: 5.02,
      p95: expect.any(Number),
      p99: expect.any(Number),
      max: 3_600_000,
    });
    const single = new Histogram();
    single.record(12.3);
    expect(single.summary()).toEqual({ p50: 12.3, p95: 12.3, p99: 12.3, max: 12.3 });
  });

  test('without values there is no summary', () => {
    expect(new Histogram().summary()).toBeUndefined();
  });
});

describe('arrivals', () => {
  test('the same seed gives the same ones, another seed others, at the rate that was asked for', () => {
    expect(arrivals(3)).toEqual(arrivals(3));
    expect(arrivals(3)).not.toEqual(arrivals(4));
    const seconds = arrivals(3).reduce((sum, gap) => sum + gap, 0);
    expect(10_000 / seconds).toBeGreaterThan(48);
    expect(10_000 / seconds).toBeLessThan(52);
  });
});
