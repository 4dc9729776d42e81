/** Pure: how many replicas the requests that come, and those that are there, need. */
import { POISSON, provenRate, provenSlope, rateOver, trend, type ArrivalHistory } from './arrivals.ts';
import { buriedReplicas } from './buried.ts';
import type { Capacity } from './capacity.ts';
import type { TrafficSample } from './observation.ts';

export interface Demand {
  /** Requests a second that come now. */
  present: number;
  /** Requests a second that must be served when a replica that is started now serves. */
  requestsPerSecond: number;
  /** Replicas, a fraction: to act on at once. */
  replicas: number;
  /** Replicas by the present rate alone, with a margin: to go down to. */
  settled: number;
  /** Replicas by the last half minute, whether that was chance or not. */
  lately: number;
  /** Requests a second that the last minute proves. */
  proven: number;
}

const FASTEST_MS = 5_000;
const FAST_MS = 15_000;
const SLOW_MS = 60_000;
const LATELY_MS = 30_000;
/**
 * Those that would be left must carry the load with this to spare: with fewer, more are late than was foretold, and what
 * that makes up for brings back the replica that has just gone.
 */
const DOWN_MARGIN = 0.05;
/** A trend counts as far as it is beyond so many of its own standard deviations. */
const TREND_BOUND = 1.5;
const LEAST_TREND_WINDOW_MS = 300_000;
const MOST_TREND_WINDOW_MS = 600_000;
/** What has piled up is to be worked off within this, at the latest. */
const LEAST_DRAIN_MS = 60_000;
/** Whatever kept replicas from starting before, no rate is foretold further. */
const MOST_LEAD_MS = 15 * 60_000;

/**
 * Returns the demand of these requests. `leadMs` is how long a replica takes from the wish to serving; `scatter` is the
 * index of dispersion of the arrivals.
 */
export function demandOf(
  history: ArrivalHistory,
  capacity: Pick<Capacity, 'requestsPerSecond' | 'lastingRequestsPerSecond' | 'concurrency'>,
  traffic: Pick<TrafficSample, 'held' | 'engines' | 'inFlight'>,
  options: { leadMs: number; scatter: number; ready: number },
): Demand {
  // Who waits for a first replica is no burst that others carry meanwhile: only chance may be behind it.
  const scatter = options.ready === 0 ? POISSON.index : options.scatter;
  const leadMs = Math.min(options.leadMs, MOST_LEAD_MS);
  const windowMs = Math.max(LEAST_TREND_WINDOW_MS, Math.min(MOST_TREND_WINDOW_MS, 2 * leadMs));
  const line = trend(history, windowMs, scatter);
  const slope = provenSlope(line, TREND_BOUND);
  // Soon after a restart there is no line, and of what was seen only the last minute tells of now.
  const level = Number.isFinite(line.deviation) ? line.rate : rateOver(history, SLOW_MS).rate;
  const now = Math.max(0, level + (slope * line.sinceMiddleMs) / 1000);
  // After a jump the line still rises when the rate no longer does.
  const lately = trend(history, windowMs / 2, scatter);
  const growth = Math.max(0, Math.min(slope, lately.slope + lately.deviation));
  const foretold = Math.min(now, lately.rate + 2 * Math.sqrt((scatter * lately.rate * 2000) / windowMs));
  const proven = provenRate(history, SLOW_MS, scatter);
  const requestsPerSecond = Math.max(
    foretold + (growth * leadMs) / 1000,
    proven,
    provenRate(history, FAST_MS, scatter),
    provenRate(history, FASTEST_MS, scatter),
  );
  // After a fall the line is below the rate for longer than a stabilisation window.
  const present = Math.max(foretold, proven);
  const draining = traffic.held / (Math.max(LEAST_DRAIN_MS, leadMs) / 1000);
  // What an engine has taken in stays with it: while one is buried, those that come need others.
  const buried = buriedReplicas(traffic, options.ready, capacity);
  return {
    present,
    requestsPerSecond,
    replicas: (requestsPerSecond + draining) / capacity.requestsPerSecond + buried,
    settled: present / (capacity.lastingRequestsPerSecond * (1 - DOWN_MARGIN)),
    proven,
    lately: rateOver(history, LATELY_MS).rate / capacity.requestsPerSecond,
  };
}

/** A fraction of a replica below this is not worth one. */
const ROUNDING = 0.05;

/** Returns the whole replicas that a fraction of them needs. */
export function wholeReplicas(fraction: number): number {
  return Math.max(0, Math.ceil(fraction - ROUNDING));
}
