/** Pure: what latency histograms say with the certainty that their number of samples allows. */
import { total, upperBoundMs, type Counts } from '../channel/histogram.ts';

/** Below 60 samples a p95 is no more than the largest of them (0.95^59 is 0.05). */
const LEAST_SAMPLES = 60;

/** Returns how many took longer than `milliseconds`, by the middle of their bucket. */
export function countAbove(counts: ReadonlyMap<number, number>, milliseconds: number): number {
  let sum = 0;
  for (const [bucket, count] of counts) if (middleMs(bucket) > milliseconds) sum += count;
  return sum;
}

/** Returns those that took at most `milliseconds`. */
export function upTo(counts: ReadonlyMap<number, number>, milliseconds: number): Counts {
  return new Map([...counts].filter(([bucket]) => middleMs(bucket) <= milliseconds));
}

/** Returns the middle of a bucket on the scale of its histogram, in milliseconds. */
export function middleMs(bucket: number): number {
  return bucket === 0 ? upperBoundMs(0) : Math.sqrt(upperBoundMs(bucket - 1) * upperBoundMs(bucket));
}

/** Returns the mean in milliseconds; undefined where nothing was counted. */
export function meanMs(counts: ReadonlyMap<number, number>): number | undefined {
  let sum = 0;
  let weight = 0;
  for (const [bucket, count] of counts) {
    sum += count * middleMs(bucket);
    weight += count;
  }
  return weight === 0 ? undefined : sum / weight;
}

/** Returns the duration that the share `quantile` (0 to 1) stayed below, interpolated; undefined where nothing was counted. */
export function quantileOf(counts: ReadonlyMap<number, number>, quantile: number): number | undefined {
  const wanted = quantile * total(counts);
  if (wanted === 0) return undefined;
  let seen = 0;
  for (const [bucket, count] of [...counts].toSorted(([a], [b]) => a - b)) {
    if (seen + count >= wanted) {
      const share = (wanted - seen) / count;
      return bucket === 0 ? upperBoundMs(0) : upperBoundMs(bucket - 1) * upperBoundMs(1) ** share;
    }
    seen += count;
  }
  return undefined;
}

/**
 * Returns what the true p95 is above with 95 % certainty: the ⌊0.95n − 1.64·√(0.0475n)⌋-th smallest; undefined below 60
 * samples.
 */
export function provenP95Ms(counts: ReadonlyMap<number, number>): number | undefined {
  const n = total(counts);
  if (n < LEAST_SAMPLES) return undefined;
  const rank = Math.floor(0.95 * n - 1.64 * Math.sqrt(0.0475 * n));
  return quantileOf(counts, rank / n);
}

/**
 * Returns the histogram with every duration divided by `factor`: a shift, since buckets are exponential. What falls
 * between two buckets is shared out, so that many small factors do not round away.
 */
export function dividedBy(counts: ReadonlyMap<number, number>, factor: number): Counts {
  const shift = Math.log(factor) / Math.log(upperBoundMs(1));
  const whole = Math.floor(shift);
  const rest = shift - whole;
  const divided: Counts = new Map();
  const add = (bucket: number, count: number): void => {
    const key = Math.max(0, bucket);
    if (count > 0) divided.set(key, (divided.get(key) ?? 0) + count);
  };
  for (const [bucket, count] of counts) {
    add(bucket - whole, count * (1 - rest));
    add(bucket - whole - 1, count * rest);
  }
  return divided;
}

/** Returns `counts` multiplied by `factor`, those that are next to nothing left out. */
export function scaled(counts: ReadonlyMap<number, number>, factor: number): Counts {
  const result: Counts = new Map();
  for (const [bucket, count] of counts) if (count * factor > 1e-3) result.set(bucket, count * factor);
  return result;
}
