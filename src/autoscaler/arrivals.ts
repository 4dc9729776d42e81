/** Pure: how many requests come a second, now and by the time that a replica which is started now serves. */

/** Arrivals counted over one interval. */
export interface ArrivalSlot {
  endMs: number;
  intervalMs: number;
  arrivals: number;
}

/** In order of time; at most HISTORY_MS. */
export type ArrivalHistory = readonly ArrivalSlot[];

const HISTORY_MS = 15 * 60_000;
/** Gateways report each second: a second's requests that fall into less time than this came in no such time. */
const LEAST_SEEN_MS = 2_500;
/** A trend over less than this is noise. */
const LEAST_TREND_MS = 150_000;
/** A one-sided 95 % bound of a normal variable, in standard deviations. */
const ONE_SIDED = 1.64;

/** Returns the history with the slot added and what is too old left out. */
export function addArrivals(history: ArrivalHistory, slot: ArrivalSlot): ArrivalHistory {
  const first = history.findIndex(({ endMs }) => endMs > slot.endMs - HISTORY_MS);
  return [...(first < 0 ? [] : history.slice(first)), slot];
}

/** Returns requests per second over the last `windowMs`, and how many milliseconds of it were seen; 0 of an empty history. */
export function rateOver(history: ArrivalHistory, windowMs: number): { rate: number; seenMs: number } {
  const end = history.at(-1)?.endMs ?? 0;
  let arrivals = 0;
  let seenMs = 0;
  for (let index = history.length - 1; index >= 0; index -= 1) {
    const slot = history[index];
    // Half a slot and more lies before the window: it is not of it.
    if (slot === undefined || slot.endMs - slot.intervalMs / 2 < end - windowMs) break;
    arrivals += slot.arrivals;
    seenMs += slot.intervalMs;
  }
  return { rate: seenMs === 0 ? 0 : (arrivals * 1000) / Math.max(LEAST_SEEN_MS, seenMs), seenMs };
}

/** How much wider than Poisson's the counts of whole minutes scatter, learned over about half an hour. */
export interface Scatter {
  /** Variance divided by mean; 1 of Poisson arrivals, more where they come in bursts. */
  index: number;
  /** The minute before, and what of the present one was counted. */
  before: number | undefined;
  arrivals: number;
  countedMs: number;
}

export const POISSON: Scatter = { index: 1, before: undefined, arrivals: 0, countedMs: 0 };

const MINUTE_MS = 60_000;
const SCATTER_SHARE = 1 / 20;
/** One jump of the rate is no burst: no minute counts for more than so many times what was usual. */
const MOST_JUMP = 6;

/** Returns the scatter after one more slot. */
export function addScatter(scatter: Scatter, { arrivals, intervalMs }: ArrivalSlot): Scatter {
  const next = { ...scatter, arrivals: scatter.arrivals + arrivals, countedMs: scatter.countedMs + intervalMs };
  if (next.countedMs < MINUTE_MS) return next;
  const minute = (next.arrivals * MINUTE_MS) / next.countedMs;
  // Neighbours differ by noise alone where the rate moves slowly: half the square of their difference is the variance.
  const index =
    scatter.before === undefined || minute + scatter.before === 0
      ? scatter.index
      : scatter.index +
        SCATTER_SHARE *
          (Math.min(MOST_JUMP * scatter.index, (minute - scatter.before) ** 2 / (minute + scatter.before)) -
            scatter.index);
  return { index: Math.max(1, index), before: minute, arrivals: 0, countedMs: 0 };
}

/** Returns requests per second that the last `windowMs` prove: the rate less its one-sided 95 % bound for that scatter. */
export function provenRate(history: ArrivalHistory, windowMs: number, scatter: number): number {
  const { rate, seenMs } = rateOver(history, windowMs);
  if (seenMs === 0) return 0;
  return Math.max(0, rate - ONE_SIDED * Math.sqrt((scatter * rate * 1000) / Math.max(LEAST_SEEN_MS, seenMs)));
}

export interface Trend {
  /** Requests per second, at the middle of the window. */
  rate: number;
  /** By how many requests per second the rate grows each second, and the standard deviation of that. */
  slope: number;
  deviation: number;
  /** From the middle of the window to its end. */
  sinceMiddleMs: number;
}

/**
 * Returns by how many requests per second the rate grows each second over the last `windowMs` (least squares over the
 * slots), and the standard deviation of that for the given scatter; 0 and Infinity where too little was seen.
 */
export function trend(history: ArrivalHistory, windowMs: number, scatter: number): Trend {
  const end = history.at(-1)?.endMs ?? 0;
  const slots = history.filter(({ endMs, intervalMs }) => endMs - intervalMs / 2 >= end - windowMs);
  const seconds = slots.reduce((sum, { intervalMs }) => sum + intervalMs / 1000, 0);
  const { rate } = rateOver(history, windowMs);
  const none = { rate, slope: 0, deviation: Number.POSITIVE_INFINITY, sinceMiddleMs: 0 };
  if (seconds * 1000 < LEAST_TREND_MS) return none;
  const middle = slots.reduce((sum, slot) => sum + (centreOf(slot) * slot.intervalMs) / 1000, 0) / seconds;
  let spread = 0;
  let moment = 0;
  let arrivals = 0;
  for (const slot of slots) {
    const distance = (centreOf(slot) - middle) / 1000;
    spread += (slot.intervalMs / 1000) * distance * distance;
    moment += slot.arrivals * distance;
    arrivals += slot.arrivals;
  }
  if (spread === 0) return none;
  return {
    rate,
    slope: moment / spread,
    deviation: Math.sqrt((scatter * Math.max(arrivals, 1)) / seconds / spread),
    sinceMiddleMs: end - middle,
  };
}

function centreOf({ endMs, intervalMs }: ArrivalSlot): number {
  return endMs - intervalMs / 2;
}

/** Returns the slope as far as it stands out from noise: none of it below `bound` standard deviations, most of it far beyond. */
export function provenSlope({ slope, deviation }: Trend, bound: number): number {
  if (slope === 0 || !Number.isFinite(deviation)) return 0;
  return slope * Math.max(0, 1 - ((bound * deviation) / slope) ** 2);
}
