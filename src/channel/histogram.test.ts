import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  addCounts,
  bucketOf,
  BUCKETS,
  observe,
  quantileMs,
  quantilesMs,
  upperBoundMs,
  type Counts,
} from './histogram.ts';

const durations = fc.double({ min: 0, max: 86_400_000, noNaN: true });

function countsOf(values: readonly number[]): Counts {
  const counts: Counts = new Map();
  for (const value of values) observe(counts, value);
  return counts;
}

describe('buckets', () => {
  test('hold what is above the bound before and not above their own', () => {
    fc.assert(
      fc.property(durations, (value) => {
        const bucket = bucketOf(value);
        expect(value).toBeLessThanOrEqual(upperBoundMs(bucket) * (1 + 1e-6));
        if (bucket > 0) expect(value).toBeGreaterThan(upperBoundMs(bucket - 1) * (1 - 1e-6));
      }),
    );
  });

  test.each([
    ['zero', 0, 0],
    ['a negative duration', -5, 0],
    ['no number', Number.NaN, 0],
    ['a millisecond', 1, 0],
    ['more than a day', 1e12, BUCKETS - 1],
    ['infinity', Number.POSITIVE_INFINITY, BUCKETS - 1],
  ])('%s has one', (_, value, bucket) => {
    expect(bucketOf(value)).toBe(bucket);
  });
});

describe('quantiles', () => {
  test('are within 5 % of the exact one, and never below it', () => {
    const some = fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(some, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, quantile) => {
        const exact = values.toSorted((a, b) => a - b)[Math.ceil(quantile * values.length) - 1] ?? 0;
        const found = quantileMs(countsOf(values), quantile) ?? 0;
        expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-6));
        expect(found).toBeLessThanOrEqual(exact * 1.05 * (1 + 1e-6));
      }),
    );
  });

  test('of a sum are those of all that was counted', () => {
    fc.assert(
      fc.property(fc.array(durations), fc.array(durations, { minLength: 1 }), (a, b) => {
        const sum = countsOf(a);
        addCounts(sum, countsOf(b));
        expect(quantileMs(sum, 0.95)).toBe(quantileMs(countsOf([...a, ...b]), 0.95));
      }),
    );
  });

  test('of nothing there are none', () => {
    expect(quantileMs(new Map(), 0.95)).toBeUndefined();
  });
});

test('quantiles of a sum of histograms are those of the histogram of all', () => {
  fc.assert(
    fc.property(fc.array(fc.array(durations, { maxLength: 50 }), { maxLength: 4 }), (groups) => {
      const asked = [0, 0.5, 0.95, 1];
      const all = countsOf(groups.flat());
      expect(quantilesMs(groups.map(countsOf), asked)).toEqual(asked.map((quantile) => quantileMs(all, quantile)));
    }),
  );
});
