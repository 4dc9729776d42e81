/** Relative width of a bucket: a quantile is at most this much too high. */
const PRECISION = 0.02;
/** Upper bound of the first bucket, in milliseconds. */
const SMALLEST_MS = 0.01;
/** Upper bound of the last bucket but one; what is longer counts as it. Ten minutes. */
const LARGEST_MS = 600_000;

const GROWTH = Math.log1p(PRECISION);
const BUCKETS = Math.ceil(Math.log(LARGEST_MS / SMALLEST_MS) / GROWTH) + 1;

/** Quantiles of latencies, in milliseconds. */
export interface LatencySummary {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}

/** Counts of latencies in buckets that grow by 2 %: 7 kB, however many are recorded. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #max = 0;

  /** Adds one latency in milliseconds. */
  record(milliseconds: number): void {
    const bucket = Math.ceil(Math.log(Math.max(milliseconds, SMALLEST_MS) / SMALLEST_MS) / GROWTH);
    const index = Math.min(bucket, BUCKETS - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    this.#max = Math.max(this.#max, milliseconds);
  }

  /** Returns the latency in milliseconds that `share` (0 to 1) of them do not exceed; 0 when there is none. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(SMALLEST_MS * Math.exp(index * GROWTH), this.#max);
    }
    return 0;
  }

  /** Returns the quantiles, rounded to hundredths; undefined when nothing was recorded. */
  summary(): LatencySummary | undefined {
    if (this.#total === 0) return undefined;
    return {
      p50: rounded(this.quantile(0.5)),
      p95: rounded(this.quantile(0.95)),
      p99: rounded(this.quantile(0.99)),
      max: rounded(this.#max),
    };
  }
}
