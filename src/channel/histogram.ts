/**
 * Latency histograms that can be added up over gateways: exponential buckets, each 5 % wider than the one before, so
 * that any percentile is known to 5 % from a millisecond to a day.
 */

const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);
/** A day in milliseconds; what is longer counts as that. */
const LONGEST_MS = 86_400_000;

/** How many buckets there are; their indexes are 0 to this, exclusive. */
export const BUCKETS = Math.ceil(Math.log(LONGEST_MS) / LOG_GROWTH) + 1;

/** Bucket → count; buckets without a count are absent. */
export type Counts = Map<number, number>;

/** Returns the bucket of a duration in milliseconds: the first whose upper bound is not below it. */
export function bucketOf(milliseconds: number): number {
  if (!(milliseconds > 1)) return 0;
  // Less a hair, so that a bucket's own upper bound belongs to it in spite of rounding.
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(milliseconds) / LOG_GROWTH - 1e-9));
}

/** Returns the upper bound of a bucket in milliseconds: 1 for the first. */
export function upperBoundMs(bucket: number): number {
  return GROWTH ** bucket;
}

/** Counts one duration. */
export function observe(counts: Counts, milliseconds: number): void {
  const bucket = bucketOf(milliseconds);
  counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
}

/** Returns how many were counted. */
export function total(counts: ReadonlyMap<number, number>): number {
  return counts.values().reduce((sum, count) => sum + count, 0);
}

/** Adds `more` to `counts`. */
export function addCounts(counts: Counts, more: ReadonlyMap<number, number>): void {
  for (const [bucket, count] of more) counts.set(bucket, (counts.get(bucket) ?? 0) + count);
}

/**
 * Returns the upper bound, in milliseconds, of the bucket that holds the given quantile (0 to 1); undefined where
 * nothing was counted.
 */
export function quantileMs(counts: ReadonlyMap<number, number>, quantile: number): number | undefined {
  const samples = total(counts);
  if (samples === 0) return undefined;
  const rank = Math.max(1, Math.ceil(quantile * samples));
  let seen = 0;
  for (const [bucket, count] of [...counts].toSorted(([a], [b]) => a - b)) {
    seen += count;
    if (seen >= rank) return upperBoundMs(bucket);
  }
  return undefined;
}

/**
 * Returns quantileMs() of the sum of `parts` for each of `quantiles`, which must ascend. For who asks for many: nothing is
 * sorted, and no sum is kept.
 */
export function quantilesMs(
  parts: readonly ReadonlyMap<number, number>[],
  quantiles: readonly number[],
): (number | undefined)[] {
  const sums = new Float64Array(BUCKETS);
  let samples = 0;
  for (const part of parts) {
    for (const [bucket, count] of part) {
      sums[bucket] = (sums[bucket] ?? 0) + count;
      samples += count;
    }
  }
  let bucket = -1;
  let seen = 0;
  return quantiles.map((quantile) => {
    if (samples === 0) return undefined;
    const rank = Math.max(1, Math.ceil(quantile * samples));
    while (seen < rank) seen += sums[++bucket] ?? 0;
    return upperBoundMs(bucket);
  });
}
