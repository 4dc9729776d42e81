/**
 * Pure: how far what was learned of a replica is to be trusted when some are let go. No model holds everywhere: where the
 * ones that were left turn out too few at once, the same step would fail again after each stabilisation window, for ever.
 */
import type { Choice } from './choose.ts';

export interface Trust {
  /** When replicas were let go last. */
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
const LEAST_SHARE = 0.7;

/** Returns the share of the learned rate, at most 1, that replicas are let go by. */
export function trustAt({ failed }: Trust, nowMs: number): number {
  return failed === undefined || !isWithin(nowMs - failed.atMs, MEMORY_MS) ? 1 : failed.share;
}

/** Returns the trust after a choice; `carried` is the present load of a ready replica over what was learned that it can do. */
export function addChoice(
  before: Trust,
  { wanted, reason }: Pick<Choice, 'wanted' | 'reason'>,
  { current, carried, nowMs }: { current: number; carried: number; nowMs: number },
): Trust {
  if (wanted < current) return { ...before, loweredAtMs: nowMs };
  const isNet = reason === 'Latency' || reason === 'Saturated';
  if (wanted === current || !isNet || !isWithin(nowMs - before.loweredAtMs, SOON_MS)) return before;
  const share = Math.max(LEAST_SHARE, Math.min(trustAt(before, nowMs), carried));
  return { ...before, failed: { share, atMs: nowMs } };
}

/** A clock that went back makes what is remembered one of another time. */
function isWithin(agoMs: number, limitMs: number): boolean {
  return agoMs >= 0 && agoMs <= limitMs;
}
