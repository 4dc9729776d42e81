/**
 * Pure: what one replica can serve within the latency target, learned while it serves (learning.ts). Two things are learned
 * apart, because they change apart: how an engine slows with its batch (slowdown.ts), which belongs to the model, the GPU
 * and the length of prompts, and what requests would take alone, which belongs to who sends them. Together they say how
 * many requests may share a replica, and by Little's law how many a second that is.
 */
import { total, type Counts } from '../channel/histogram.ts';
import { NO_PACE, type Pace } from './contradiction.ts';
import { meanMs, quantileOf } from './latencies.ts';
import type { ScalingTargets } from './observation.ts';
import { concurrencyAt, NO_LINE, slowdown, tokenTime, type SlowdownLine, type TokenTime } from './slowdown.ts';
import { boundedRps, NO_THROUGHPUT, type Throughput } from './throughput.ts';

export interface CapacityModel {
  line: SlowdownLine;
  /** Latencies as they would have been alone, newer ones weighing more. */
  alone: Counts;
  /** Of `alone` what was learned of late. */
  recentAlone: Counts;
  /** What engines do where no job of batches has a part of it, and whether they still do. */
  pace: Pace;
  /** What replicas get done while requests queue in them. */
  throughput: Throughput;
  /** Requests in flight per replica that serves, smoothed over about the time that a request lasts. */
  concurrency: number | undefined;
  /** The same over several times that: where the two differ, latencies tell of another load than now's. */
  slowConcurrency: number | undefined;
  /** For how long the load of replicas has been about what it is; requests that last longer tell of another. */
  steadyMs: number;
  /** The most requests that an engine worked on while latencies were known, fading: nothing is claimed far beyond. */
  seenConcurrency: number;
  /** Requests that were later than this target, and all, newer ones weighing more: the error budget of 5 %. */
  targetLatencyMs: number;
  late: number;
  completed: number;
  /** Over how long these were counted, fading like them. */
  countedMs: number;
  /** Tokens of prompts and answers, and the requests that had them, newer ones weighing more. */
  promptTokens: number;
  generatedTokens: number;
  requests: number;
}

export const UNLEARNED: CapacityModel = {
  line: NO_LINE,
  alone: new Map(),
  recentAlone: new Map(),
  pace: NO_PACE,
  throughput: NO_THROUGHPUT,
  concurrency: undefined,
  slowConcurrency: undefined,
  steadyMs: 0,
  seenConcurrency: 0,
  targetLatencyMs: 0,
  late: 0,
  completed: 0,
  countedMs: 0,
  promptTokens: 0,
  generatedTokens: 0,
  requests: 0,
};

/** What a replica can do within the target. */
export interface Capacity {
  /** Requests in flight on it. */
  concurrency: number;
  /** Requests a second that keep it there; what a replica is counted as. */
  requestsPerSecond: number;
  /** The same where nothing that was saved of the budget is spent; what replicas are let go by. */
  lastingRequestsPerSecond: number;
  /** The p95 of a request that is alone, in milliseconds. */
  unloadedP95Ms: number;
  /** How much of this is learned of latencies, 0 to 1; the rest is spec.scaling.targetRps. */
  confidence: number;
  /** The rest is less than targetRps: what replicas get done while requests queue in them bounds it. */
  isBounded: boolean;
}

/** What of the requests may be late, over the time that is remembered. */
export interface LateBudget {
  /** Requests that may still be late; below 0 where more were. */
  left: number;
  /** Requests that completed, on average. */
  perMs: number;
}

/** Half of what was late, and of what may be, is forgotten after so long. */
export const BUDGET_HALF_LIFE_MS = 60 * 60_000;
/** Share of requests that may be late; a little below the target's 5 %. */
const LATE_SHARE = 0.045;
/** What the target itself lets be late. */
const MAY_BE_LATE = 0.05;
/** Beyond this slowdown an engine works at 4/5 of what it can at all, and any burst drowns it. */
const MOST_SLOWDOWN = 5;
const MOST_SHARE = 1 - 1 / MOST_SLOWDOWN;
/** A target closer to the unloaded p95 than this cannot be bought with replicas. */
const LEAST_SLOWDOWN = 1.1;
/** Where the target is below the unloaded p95, replicas are not bought for it: at a fifth below, requests may take twice. */
const HOPELESS_SLOWDOWN = 2;
const HOPELESS = 1 / 1.2;
/** So many completed requests weigh as much as what spec.scaling.targetRps says. */
const PRIOR_REQUESTS = 50;
/** A bound that has all but faded is not what a replica is taken for. */
const NOTABLY = 0.95;
/** Nothing is claimed beyond so many times the concurrency that was seen. */
export const BEYOND_SEEN = 2;
/** Requests in flight that a replica is counted as at least: with fewer it idles most of the time. */
const LEAST_CONCURRENCY = 0.3;
/** One request in a hundred fewer late is worth so many per cent of replicas. */
const WORTH = 6;
const STEP = 0.005;

/** Returns what one replica can serve within the target. */
export function capacityOf(model: CapacityModel, targets: ScalingTargets): Capacity | undefined {
  const mean = meanMs(model.alone);
  const unloadedP95Ms = quantileOf(model.alone, 0.95);
  if (mean === undefined || unloadedP95Ms === undefined) return undefined;
  const time = tokenTime(model.line);
  const weight = total(model.alone);
  const confidence = weight / (weight + PRIOR_REQUESTS);
  const most = Math.max(4, BEYOND_SEEN * model.seenConcurrency);
  const concurrencyOf = (late: number): number =>
    Math.max(LEAST_CONCURRENCY, Math.min(most, concurrencyFor(model, time, targets, late)));
  const { assumed, isBounded } = assumedRps(model, targets);
  const rateAt = (concurrency: number): number => {
    const learned = (concurrency * 1000) / (mean * slowdown(time, concurrency));
    return Math.exp(confidence * Math.log(learned) + (1 - confidence) * Math.log(assumed));
  };
  const allowed = allowedLate(model);
  const concurrency = concurrencyOf(allowed);
  const requestsPerSecond = rateAt(concurrency);
  return {
    concurrency,
    requestsPerSecond,
    lastingRequestsPerSecond: allowed > LATE_SHARE ? rateAt(concurrencyOf(LATE_SHARE)) : requestsPerSecond,
    unloadedP95Ms,
    confidence,
    isBounded,
  };
}

/** Returns what a replica is taken for until its latencies are known. */
export function assumedCapacity(model: CapacityModel, targets: ScalingTargets): Capacity {
  const { assumed, isBounded } = assumedRps(model, targets);
  return {
    // By Little's law, where requests take half of what they may.
    concurrency: Math.max(1, (assumed * targets.targetLatencyMs) / 2 / 1000),
    requestsPerSecond: assumed,
    lastingRequestsPerSecond: assumed,
    unloadedP95Ms: 0,
    confidence: 0,
    isBounded,
  };
}

function assumedRps(
  { throughput }: CapacityModel,
  { targetRps }: ScalingTargets,
): Pick<Capacity, 'isBounded'> & { assumed: number } {
  const assumed = boundedRps(throughput, targetRps, MOST_SHARE);
  return { assumed, isBounded: assumed < NOTABLY * targetRps };
}

/** Returns at which concurrency the share `allowed` of the requests is late. */
function concurrencyFor(
  model: CapacityModel,
  time: TokenTime,
  { targetLatencyMs }: ScalingTargets,
  allowed: number,
): number {
  const least = leastSlowdown(targetLatencyMs / (quantileOf(model.alone, 0.95) ?? targetLatencyMs));
  const at = (late: number): number => {
    const latencyMs = quantileOf(model.alone, 1 - late) ?? targetLatencyMs;
    return concurrencyAt(time, Math.min(MOST_SLOWDOWN, Math.max(least, targetLatencyMs / latencyMs)));
  };
  if (allowed >= LATE_SHARE) return at(allowed);
  // To make up for what was late is bought as long as it is cheap: close to the unloaded latency it hardly can be.
  let late = LATE_SHARE;
  while (late - STEP >= allowed && at(late - STEP) >= at(late) * (1 - STEP * WORTH)) late -= STEP;
  return at(late);
}

/** Returns the slowdown that is accepted at least, of a target that is `room` times the unloaded p95. */
function leastSlowdown(room: number): number {
  const hopeless = Math.min(1, Math.max(0, (1 - room) / (1 - HOPELESS)));
  return LEAST_SLOWDOWN + hopeless * (HOPELESS_SLOWDOWN - LEAST_SLOWDOWN);
}

/** Returns the share of requests that may be late from now on: what was saved may be spent, what was overspent is saved. */
function allowedLate({ late, completed }: CapacityModel): number {
  const saved = LATE_SHARE * completed - late;
  const ahead = Math.max(completed, 1000);
  return Math.min(0.08, Math.max(0.01, LATE_SHARE + saved / ahead));
}

/** Returns what may still be late of the requests of the last hour or so, where so many in flight are late already. */
export function lateBudgetOf({ late, completed, countedMs }: CapacityModel, lateInFlight: number): LateBudget {
  const perMs = countedMs === 0 ? 0 : completed / countedMs;
  // Of what fades by half in that time, this much is there in the long run; soon after a start there is less.
  const windowMs = BUDGET_HALF_LIFE_MS / Math.LN2;
  return { left: MAY_BE_LATE * Math.max(completed, perMs * windowMs) - late - lateInFlight, perMs };
}
