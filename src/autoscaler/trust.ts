/**
 * Pure: how far what was learned of a replica is to be trusted when some are let go. No model holds everywhere: where the
 * ones that were left turn out too few at once, the same step would fail again after each stabilisation window, for ever.
 */
import type { ScalingReason } from './explain.ts';

export interface Trust {
  /** When replicas were let go that nothing has asked for since; -Infinity of none. */
  loweredAtMs: number;
  /** What share of the rate that was learned a replica was found not to carry, and when. */
  failed?: { share: number; atMs: number };
}

export const FULL_TRUST: Trust = { loweredAtMs: Number.NEGATIVE_INFINITY };

/** A step down that latencies or waiting requests take back within this was one too many. */
const SOON_MS = 300_000;
/** What it has taught counts for so long: then requests may be others. */
const MEMORY_MS = 2 * 60 * 60_000;
/** A single burst is no reason to keep twice the replicas. */
export const LEAST_SHARE = 0.7;

/** Returns the share of the learned rate, at most 1, that replicas are let go by. */
export function trustAt({ failed }: Trust, nowMs: number): number {
  return failed === undefined || !isWithin(nowMs - failed.atMs, MEMORY_MS) ? 1 : failed.share;
}

/**
 * Returns the trust after a decision for `to` replicas instead of `from`; `carried` is the present load of a ready replica
 * over what was learned that it can do.
 */
export function addDecision(
  before: Trust,
  { from, to, reason }: { from: number; to: number; reason: ScalingReason },
  { carried, nowMs }: { carried: number; nowMs: number },
): Trust {
  // The last one goes for want of work, whatever it could carry.
  if (to < from) return { ...before, loweredAtMs: to === 0 ? Number.NEGATIVE_INFINITY : nowMs };
  if (to === from) return before;
  // Whatever takes the step back ends it: what is asked for after that is asked of those that carried the load.
  const ended = { ...before, loweredAtMs: Number.NEGATIVE_INFINITY };
  const isNet = reason === 'Latency' || reason === 'Saturated';
  const trusted = trustAt(before, nowMs);
  // Nobody let them go for as much as that: the load has risen.
  const hasFailed = isNet && isWithin(nowMs - before.loweredAtMs, SOON_MS) && carried < trusted;
  return hasFailed ? { ...ended, failed: { share: Math.max(LEAST_SHARE, carried), atMs: nowMs } } : ended;
}

/** What is remembered of a time to come, before a clock went back, counts for nothing until then. */
function isWithin(agoMs: number, limitMs: number): boolean {
  return agoMs >= 0 && agoMs <= limitMs;
}
