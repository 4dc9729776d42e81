/**
 * Pure: rises of the load that nobody could foresee. Until replicas have started, a rise makes requests late, and nothing
 * that does not know the future prevents that the first time. Where what may be late could not bear another one, replicas
 * for it are kept, unless it lasts: then it is no surge but the load.
 */
import type { LateBudget } from './capacity.ts';
import type { MinuteReport } from './minutes.ts';
import { longestKeptMs } from './regret.ts';

export interface Surge {
  /** The most requests a second that came of it; 0 of none. */
  most: number;
  /** Requests that it made late. */
  late: number;
  /** When replicas were too few for it, last. */
  shortAtMs: number;
  /** For how long about as many have come. */
  lastedMs: number;
  /** When about as many came, last. */
  cameAtMs: number;
  /** Another one would make more requests late than may be. */
  isDear: boolean;
  /** When a deployment slept, last: those that wake it wait for its start, as was asked for. */
  asleepAtMs: number;
}

const NEVER_MS = Number.NEGATIVE_INFINITY;

export const NO_SURGE: Surge = {
  most: 0,
  late: 0,
  shortAtMs: NEVER_MS,
  lastedMs: 0,
  cameAtMs: NEVER_MS,
  isDear: false,
  asleepAtMs: NEVER_MS,
};

/** Another one is over so long after it came the most. */
const OVER_MS = 10 * 60_000;
/** A load that is as high for so long may go on so. */
const LASTING_MS = 15 * 60_000;
/** About as many as came at most. */
const ALMOST = 0.6;
/** So long what had piled up is late, though enough serve. */
const AFTERMATH_MS = 3 * 60_000;
/** Fewer late than come in this time on average, or than this at all, are nothing to keep replicas for. */
const LEAST_LATE_MS = 100_000;
const LEAST_LATE = 50;
/** Next time replicas are there for a part of what will be late, as much as this. */
const NEXT_SHARE = 0.5;
/** Replicas for more than so many times what comes on average cost more than late requests are worth. */
const MOST_OF_AVERAGE = 5;

export interface SurgeInput {
  /** Requests a second that the last minute proves, and the replicas for them. */
  rate: number;
  needed: number;
  /** The minute that is over with this interval. */
  ended: MinuteReport | undefined;
  budget: LateBudget;
  /** There was no work for `idleSeconds`: it has gone for good. */
  isIdle: boolean;
  /** How long a replica takes to start. */
  loadTimeMs: number;
  intervalMs: number;
  nowMs: number;
}

/** Returns the surge after one more interval. */
export function addInterval(before: Surge, input: SurgeInput): Surge {
  const { rate, needed, ended, isIdle, intervalMs, nowMs } = input;
  const asleepAtMs = ended?.leastReady === 0 ? nowMs : Math.min(before.asleepAtMs, nowMs);
  const known = { ...(isIdle || isOver(before, input) ? NO_SURGE : before), asleepAtMs };
  const bad = ended?.isBad === true && nowMs - asleepAtMs >= AFTERMATH_MS ? ended : undefined;
  const isShort = bad !== undefined && needed > bad.leastReady;
  if (!isShort && known.most === 0) return known;
  const next = { ...known, most: Math.max(known.most, rate) };
  const isHigh = rate >= ALMOST * next.most;
  if (isShort) next.shortAtMs = nowMs;
  if (isShort || isHigh) next.cameAtMs = nowMs;
  next.lastedMs = Math.max(0, next.lastedMs + (isHigh ? intervalMs : -intervalMs));
  return next.lastedMs > LASTING_MS ? { ...NO_SURGE, asleepAtMs } : judged(next, bad, input);
}

/** Returns the surge with what a bad minute adds to it, and whether another one is more than may be late. */
function judged(surge: Surge, bad: MinuteReport | undefined, { budget, nowMs }: SurgeInput): Surge {
  const late = surge.late + (nowMs - surge.shortAtMs < AFTERMATH_MS ? (bad?.late ?? 0) : 0);
  // Once the budget has recovered, another one may come.
  const isDear = surge.isDear ? budget.left < late : isMany(late, budget) && budget.left < NEXT_SHARE * late;
  return { ...surge, late, isDear };
}

/** Returns for how many requests a second replicas are kept: 0 where another surge would do little harm, or costs too much. */
export function rateForNext({ most, isDear }: Surge, { perMs }: LateBudget): number {
  return isDear && most <= MOST_OF_AVERAGE * perMs * 1000 ? most : 0;
}

function isOver({ isDear, cameAtMs }: Surge, { loadTimeMs, nowMs }: SurgeInput): boolean {
  const overMs = isDear ? Math.max(OVER_MS, longestKeptMs(loadTimeMs)) : OVER_MS;
  // Of a time to come, it is of before a clock went back.
  return nowMs < cameAtMs || nowMs - cameAtMs > overMs;
}

function isMany(late: number, { perMs }: LateBudget): boolean {
  return late >= LEAST_LATE && late > LEAST_LATE_MS * perMs;
}
