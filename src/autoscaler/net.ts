/** Pure: what holds where the learned capacity is wrong: latencies that are late, and requests that wait in engines. */
import { addCounts, total, type Counts } from '../channel/histogram.ts';
import { rateOver, type ArrivalHistory } from './arrivals.ts';
import { provenP95Ms, upTo } from './latencies.ts';
import { onlineShare, type ReplicaCounts, type TrafficSample } from './observation.ts';

export interface LatencySlot {
  endMs: number;
  latency: Counts;
}

const WINDOW_MS = 60_000;
const WAITING_MS = 15_000;
/** Where requests are few, the p95 is of as many minutes as hold enough of them, up to this. */
const LONGEST_WINDOW_MS = 10 * 60_000;
const ENOUGH_SAMPLES = 60;
/** Minutes with more than so many times the requests of the last one, and a few more, are of a load that has gone. */
const MOST_BUSIER = 2;
const A_FEW = 10;
const LATENCY_TOLERANCE = 1.1;
const MOST_FACTOR = 1.5;
/** A wait of a second, and of a twentieth of what a request may take, is none to buy a replica for. */
const LONG_WAIT_MS = 1_000;
const LONG_WAIT_SHARE = 0.05;
/** An engine with less of its KV cache free than this is about to put back requests that it had begun. */
const FULL_KV_CACHE = 0.9;

/** Returns the slots with a new one, without those that are too old. */
export function addLatencies(slots: readonly LatencySlot[], slot: LatencySlot): readonly LatencySlot[] {
  return [...slots.filter(({ endMs }) => endMs > slot.endMs - LONGEST_WINDOW_MS && endMs <= slot.endMs), slot];
}

/**
 * Returns what the p95 is proven to be above, of requests that came since `readySinceMs`; those in flight count as soon as
 * they are later than `targetMs`, since completions hide the stuck ones. Undefined of too few, as soon as the load that
 * was late has gone.
 */
export function recentP95Ms(
  slots: readonly LatencySlot[],
  { ages }: Pick<TrafficSample, 'ages'>,
  { readySinceMs, targetMs, nowMs }: { readySinceMs: number; targetMs: number; nowMs: number },
): number | undefined {
  if (nowMs - readySinceMs < WINDOW_MS) return undefined;
  const onTime = upTo(ages, targetMs);
  const counts: Counts = new Map([...upTo(ages, nowMs - readySinceMs)].filter(([bucket]) => !onTime.has(bucket)));
  let recent = 0;
  let older = 0;
  for (const { endMs, latency } of slots.toReversed()) {
    const olderMs = nowMs - WINDOW_MS - endMs;
    if (olderMs < 0) recent += total(latency);
    else {
      older += total(latency);
      const most = MOST_BUSIER * (recent + A_FEW) * Math.max(1, olderMs / WINDOW_MS);
      if (older > most || total(counts) >= ENOUGH_SAMPLES) break;
    }
    addCounts(counts, upTo(latency, endMs - readySinceMs));
  }
  return provenP95Ms(counts);
}

/** Returns more replicas where the p95 is proven to be above the target and none is on its way; else 0. */
export function latencyCandidate(
  p95Ms: number | undefined,
  { ready, pending, blocked }: ReplicaCounts,
  targetMs: number,
): number {
  if (pending > 0 || blocked > 0 || ready === 0) return 0;
  if (p95Ms === undefined || p95Ms <= LATENCY_TOLERANCE * targetMs) return 0;
  const factor = Math.min(p95Ms / targetMs, MOST_FACTOR);
  return Math.min(Math.ceil(ready * factor), ready + Math.max(1, Math.ceil(ready / 2)));
}

/** Returns the requests that wait in engines, smoothed over a quarter of a minute. */
export function smoothedWaiting(before: number, { engines, intervalMs }: TrafficSample): number {
  return before + (1 - Math.exp(-intervalMs / WAITING_MS)) * (waitingNow(engines) - before);
}

function waitingNow(engines: TrafficSample['engines']): number {
  return engines.reduce((sum, engine) => sum + engine.waiting * onlineShare(engine), 0);
}

/**
 * Returns one more replica where those that come wait for room in engines, or their KV caches are full; else 0. Chunked prefill
 * makes a short wait routine.
 */
export function saturationCandidate(
  { waitedBefore, arrivals }: { waitedBefore: number; arrivals: ArrivalHistory },
  { engines }: Pick<TrafficSample, 'engines'>,
  { ready, pending, blocked }: ReplicaCounts,
  targetMs: number,
): number {
  if (ready === 0 || pending > 0 || blocked > 0) return 0;
  const { rate } = rateOver(arrivals, WAITING_MS);
  // A burst that is gone by the next look needs nobody. By Little's law: how long each that comes waits.
  const waiting = Math.min(waitedBefore, waitingNow(engines));
  const waitMs = rate === 0 ? 0 : (waiting * 1000) / rate;
  const isWaiting = waitMs > Math.max(LONG_WAIT_MS, LONG_WAIT_SHARE * targetMs);
  const kvCache =
    engines.reduce((sum, engine) => sum + engine.kvCacheUsage * onlineShare(engine), 0) / Math.max(1, engines.length);
  return isWaiting || kvCache > FULL_KV_CACHE ? ready + 1 : 0;
}
