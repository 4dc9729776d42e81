/** Pure: what late requests have taught, as status keeps it, and as a new leader goes on from it. */
import { BUDGET_HALF_LIFE_MS, type CapacityModel } from './capacity.ts';
import { halved } from './fading.ts';
import { NOTHING_MISSED, type Missed } from './missed.ts';
import type { ScalingTargets } from './observation.ts';
import { highest } from './recommendations.ts';
import { fadedHoldMs, LONGEST_HOLD_MS, NO_REGRET, SHORTEST_HOLD_MS } from './regret.ts';
import { NO_SURGE, type Surge } from './surge.ts';
import { FULL_TRUST, LEAST_SHARE, trustAt, type Trust } from './trust.ts';

/** As in status.scaling.learned; of all replicas together, times in Unix milliseconds. */
export interface Remembered {
  /** The latency target by which requests were late; by another one, none of this counts. */
  targetLatencyP95Ms?: number;
  /** Requests that completed in the hour or so before recentTime, those of them that were late, and the time that this counts. */
  recentRequests?: number;
  recentLateRequests?: number;
  recentSeconds?: number;
  recentTime?: number;
  /** For how long replicas are kept, since some that were let go were missed; how many are now, and when the load needed most of them last. */
  holdSeconds?: number;
  holdReplicas?: number;
  holdTime?: number;
  /** The rise that replicas are kept for: its rate, the requests that it made late, and when it came last. */
  surgeRequestsPerSecond?: number;
  surgeLateRequests?: number;
  surgeTime?: number;
  /** The share of requestsPerSecond that replicas are let go by, since they did not carry more, and since when. */
  carriedPercent?: number;
  carriedTime?: number;
}

/** So many of those that are held stand for all: the steps between them are not kept. */
const MOST_OF_HELD = 0.7;

/** The part of the scaler's state that is about late requests. */
interface LateState {
  capacity: CapacityModel;
  missed: Missed;
  trust: Trust;
  lastMs: number;
}

/** Returns what to keep. */
export function rememberedOf({ capacity, missed: { regret, surge, held }, trust, lastMs }: LateState): Remembered {
  const { completed, late, countedMs, targetLatencyMs } = capacity;
  if (completed < 1) return {};
  const carried = trustAt(trust, lastMs);
  return {
    targetLatencyP95Ms: targetLatencyMs,
    recentRequests: completed,
    recentLateRequests: late,
    recentSeconds: countedMs / 1000,
    recentTime: lastMs,
    ...(regret.holdMs > SHORTEST_HOLD_MS && { holdSeconds: regret.holdMs / 1000, ...heldSince(held, lastMs) }),
    // One that is not dear keeps nothing.
    ...(surge.isDear && {
      surgeRequestsPerSecond: surge.most,
      surgeLateRequests: surge.late,
      surgeTime: surge.cameAtMs,
    }),
    ...(carried < 1 && trust.failed && { carriedPercent: 100 * carried, carriedTime: trust.failed.atMs }),
  };
}

/** Returns the most that are held and when most of them were needed last; nothing where they are now: the load says so itself. */
function heldSince(held: Missed['held'], nowMs: number): Pick<Remembered, 'holdReplicas' | 'holdTime'> {
  const most = highest(held);
  const last = held.findLast(({ replicas }) => replicas >= MOST_OF_HELD * most);
  return last === undefined || last.atMs === nowMs ? {} : { holdReplicas: most, holdTime: last.atMs };
}

/** Returns what to go on from; what was written long ago has faded, and what makes no sense counts for nothing. */
export function restored(
  remembered: Remembered,
  { targetLatencyMs }: Pick<ScalingTargets, 'targetLatencyMs'>,
  nowMs: number,
): Pick<LateState, 'missed' | 'trust'> & { budget: LateCounts } {
  const valid = remembered.targetLatencyP95Ms === targetLatencyMs ? remembered : {};
  const sinceMs = Math.max(0, nowMs - (valid.recentTime ?? 0));
  return {
    budget: { targetLatencyMs, ...fadedCounts(valid, sinceMs) },
    missed: {
      ...NOTHING_MISSED,
      ...restoredHold(valid, sinceMs, nowMs),
      surge: restoredSurge(valid, nowMs),
    },
    trust: restoredTrust(valid, nowMs),
  };
}

type LateCounts = Pick<CapacityModel, 'targetLatencyMs' | 'completed' | 'late' | 'countedMs'>;

function fadedCounts(
  { recentRequests = 0, recentLateRequests = 0, recentSeconds = 0 }: Remembered,
  sinceMs: number,
): Omit<LateCounts, 'targetLatencyMs'> {
  const completed = recentSeconds === 0 ? 0 : fadedRequests(recentRequests, sinceMs);
  return {
    completed,
    late: Math.min(completed, fadedRequests(recentLateRequests, sinceMs)),
    countedMs: fadedRequests(recentSeconds * 1000, sinceMs),
  };
}

/** Returns what counts of requests, or of the time that they were counted in, after so long. */
export function fadedRequests(requests: number, afterMs: number): number {
  return requests * halved(afterMs, BUDGET_HALF_LIFE_MS);
}

function restoredHold(
  { holdSeconds = 0, holdReplicas = 0, holdTime = 0 }: Remembered,
  sinceMs: number,
  nowMs: number,
): Pick<Missed, 'regret' | 'held'> {
  const holdMs = fadedHoldMs(Math.min(holdSeconds * 1000, LONGEST_HOLD_MS), sinceMs);
  return {
    regret: { ...NO_REGRET, holdMs },
    held: holdReplicas > 0 ? [{ atMs: Math.min(nowMs, holdTime), replicas: holdReplicas }] : [],
  };
}

function restoredSurge(
  { surgeRequestsPerSecond: most = 0, surgeLateRequests: late = 0, surgeTime = 0 }: Remembered,
  nowMs: number,
): Surge {
  return most > 0 ? { ...NO_SURGE, most, late, isDear: true, cameAtMs: Math.min(nowMs, surgeTime) } : NO_SURGE;
}

function restoredTrust({ carriedPercent = 0, carriedTime = 0 }: Remembered, nowMs: number): Trust {
  if (carriedPercent <= 0 || carriedPercent >= 100) return FULL_TRUST;
  const share = Math.max(LEAST_SHARE, carriedPercent / 100);
  return { ...FULL_TRUST, failed: { share, atMs: Math.min(nowMs, carriedTime) } };
}
