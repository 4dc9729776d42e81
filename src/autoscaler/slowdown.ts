/**
 * Pure: how much longer a token takes the more requests an engine decodes together. Continuous batching slows every
 * request long before any waits: a step takes `base + perRequest · batch` (read off measured tables to 3 %), and the two
 * are learned from what engines say by a weighted least-squares line with forgetting.
 */

/** Sums over samples (batch, milliseconds a token), each of weight 1 when it was new. */
export interface SlowdownLine {
  weight: number;
  batch: number;
  batchSquared: number;
  time: number;
  batchTime: number;
}

export const NO_LINE: SlowdownLine = { weight: 0, batch: 0, batchSquared: 0, time: 0, batchTime: 0 };

/** Milliseconds a token at `batch` requests: base + perRequest · batch. */
export interface TokenTime {
  base: number;
  perRequest: number;
}

/** What one more request slows the others by, relative to a batch of none, before anything was learned. */
const PRIOR_SLOPE = 0.04;
/** How much spread of batches (squares summed) outweighs the prior. */
const PRIOR_SPREAD = 100;

/** Returns the line with one sample added. */
export function addSample(line: SlowdownLine, batch: number, milliseconds: number): SlowdownLine {
  return {
    weight: line.weight + 1,
    batch: line.batch + batch,
    batchSquared: line.batchSquared + batch * batch,
    time: line.time + milliseconds,
    batchTime: line.batchTime + batch * milliseconds,
  };
}

/** Returns the line with the weight of all its samples multiplied by `factor`. */
export function forget(line: SlowdownLine, factor: number): SlowdownLine {
  return {
    weight: line.weight * factor,
    batch: line.batch * factor,
    batchSquared: line.batchSquared * factor,
    time: line.time * factor,
    batchTime: line.batchTime * factor,
  };
}

/** Returns the learned time of a token; where batches hardly differed, its slope leans on the prior. */
export function tokenTime(line: SlowdownLine): TokenTime {
  if (line.weight <= 0) return { base: 1, perRequest: PRIOR_SLOPE };
  const batch = line.batch / line.weight;
  const time = line.time / line.weight;
  const spread = Math.max(0, line.batchSquared - line.batch * batch);
  const moment = line.batchTime - line.batch * time;
  const prior = (PRIOR_SLOPE * time) / (1 + PRIOR_SLOPE * batch);
  const slope = (moment + PRIOR_SPREAD * prior) / (spread + PRIOR_SPREAD);
  // A line through noise may fall, or cross zero: more requests never make an engine faster, and a step takes time.
  const bounded = Math.min(Math.max(slope, 0.002 * time), (0.9 * time) / Math.max(batch, 1));
  return { base: time - bounded * batch, perRequest: bounded };
}

/**
 * Returns how many times longer a request takes than alone where `concurrency` are in flight on average: one that comes by
 * chance finds that many (PASTA), and is one more.
 */
export function slowdown({ base, perRequest }: TokenTime, concurrency: number): number {
  return (base + perRequest * (1 + Math.max(0, concurrency))) / (base + perRequest);
}

/** Returns the concurrency at which requests take `factor` times as long as alone; 0 of a factor up to 1. */
export function concurrencyAt({ base, perRequest }: TokenTime, factor: number): number {
  return Math.max(0, ((factor - 1) * (base + perRequest)) / perRequest);
}
