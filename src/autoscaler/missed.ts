/** Pure: what is kept of replicas since too few of them made requests late before. */
import type { LateBudget } from './capacity.ts';
import { wholeReplicas } from './demand.ts';
import { addServed, NO_MINUTE, type Minute, type ServedInterval } from './minutes.ts';
import { highest, recommend, type Recommendations } from './recommendations.ts';
import { addInterval as addToRegret, NO_REGRET, SHORTEST_HOLD_MS, type Regret } from './regret.ts';
import { addInterval as addToSurge, NO_SURGE, rateForNext, type Surge } from './surge.ts';

export interface Missed {
  minute: Minute;
  regret: Regret;
  /** What the load needed as it came, within the time that regret keeps it for. */
  held: Recommendations;
  surge: Surge;
}

export const NOTHING_MISSED: Missed = { minute: NO_MINUTE, regret: NO_REGRET, held: [], surge: NO_SURGE };

export interface MissedInput extends ServedInterval {
  /** Replicas by the last half minute, and whether it is learned what one of them carries. */
  lately: number;
  isLearned: boolean;
  /** Requests a second that the last minute proves, and the replicas for them. */
  proven: number;
  neededForProven: number;
  budget: LateBudget;
  /** There was no work for `idleSeconds`. */
  isIdle: boolean;
  loadTimeMs: number;
  stabilizationMs: number;
  nowMs: number;
}

/** Returns what was missed after one more interval. */
export function addInterval(before: Missed, input: MissedInput): Missed {
  const { lately, isLearned, budget, stabilizationMs, nowMs } = input;
  const { minute, ended } = addServed(before.minute, input);
  const regret = addToRegret(before.regret, { ...input, needed: lately, ended, lateLeft: budget.left });
  const windowMs = Math.max(stabilizationMs, regret.holdMs);
  return {
    minute,
    regret,
    held: regret.holdMs <= SHORTEST_HOLD_MS ? [] : recommend(before.held, isLearned ? lately : 0, { nowMs, windowMs }),
    surge: addToSurge(before.surge, { ...input, rate: input.proven, needed: input.neededForProven, ended }),
  };
}

/**
 * Returns what is left where requests have become others: rates were of the former ones, and replicas were counted by what
 * they carried of those. For how long those that are missed are kept belongs to when requests come.
 */
export function ofOthers({ minute, regret: { holdMs } }: Missed): Missed {
  return { ...NOTHING_MISSED, minute, regret: { ...NO_REGRET, holdMs } };
}

/** What is kept, and for what. */
export interface Kept {
  replicas: number;
  because: 'regret' | 'surge';
}

/** Returns what is kept of replicas, where each is counted as so many requests a second; none where nothing was missed. */
export function keptFor({ held, surge }: Missed, budget: LateBudget, requestsPerSecond: number): Kept {
  const missed = highest(held);
  const next = wholeReplicas(rateForNext(surge, budget) / requestsPerSecond);
  return next > missed ? { replicas: next, because: 'surge' } : { replicas: missed, because: 'regret' };
}
