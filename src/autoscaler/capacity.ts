/**
 * Pure: what one replica can serve within the latency target, learned while it serves. Two things are learned apart,
 * because they change apart: how an engine slows with its batch (slowdown.ts), which belongs to the model and the GPU, and
 * what requests would take alone, which belongs to who sends them. Together they say how many requests may share a
 * replica, and by Little's law how many a second that is.
 */
import { addCounts, total, type Counts } from '../channel/histogram.ts';
import { onlineShare, type ScalingTargets, type TrafficSample } from './observation.ts';
import { countAbove, dividedBy, meanMs, quantileOf, scaled, upTo } from './latencies.ts';
import {
  addSample,
  concurrencyAt,
  forget,
  NO_LINE,
  slowdown,
  tokenTime,
  type SlowdownLine,
  type TokenTime,
} from './slowdown.ts';

export interface CapacityModel {
  line: SlowdownLine;
  /** Latencies as they would have been alone, newer ones weighing more. */
  alone: Counts;
  /** Requests in flight per replica that serves, smoothed over about the time that a request lasts. */
  concurrency: number | undefined;
  /** The same over several times that: where the two differ, latencies tell of another load than now's. */
  slowConcurrency: number | undefined;
  /** For how long the load of replicas has been about what it is; requests that last longer tell of another. */
  steadyMs: number;
  /** Most of it that engines worked on while latencies were known, fading: nothing is claimed far beyond. */
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
  /** How much of this is learned, 0 to 1; the rest is spec.scaling.targetRps. */
  confidence: number;
}

/** What of the requests may be late, over the time that is remembered. */
export interface LateBudget {
  /** Requests that may still be late; below 0 where more were. */
  left: number;
  /** Requests that completed, on average. */
  perMs: number;
}

/** Half of what was learned is forgotten after so long, in milliseconds of traffic. */
const LINE_HALF_LIFE_MS = 60 * 60_000;
const ALONE_HALF_LIFE_MS = 10 * 60_000;
export const BUDGET_HALF_LIFE_MS = 60 * 60_000;
/** Share of requests that may be late; a little below the target's 5 %. */
const LATE_SHARE = 0.045;
/** What the target itself lets be late. */
const MAY_BE_LATE = 0.05;
/** Beyond this slowdown an engine works at 4/5 of what it can at all, and any burst drowns it. */
const MOST_SLOWDOWN = 5;
/** A target closer to the unloaded p95 than this cannot be bought with replicas. */
const LEAST_SLOWDOWN = 1.1;
/** Where the target is below the unloaded p95, replicas are not bought for it: at a fifth below, requests may take twice. */
const HOPELESS_SLOWDOWN = 2;
const HOPELESS = 1 / 1.2;
/** So many completed requests weigh as much as what spec.scaling.targetRps says. */
const PRIOR_REQUESTS = 50;
/** Nothing is claimed beyond so many times the concurrency that was seen. */
export const BEYOND_SEEN = 2;
/** Requests in flight that a replica is counted as at least: with fewer it idles most of the time. */
const LEAST_CONCURRENCY = 0.3;
/** One request in a hundred fewer late is worth so many per cent of replicas. */
const WORTH = 6;
const STEP = 0.005;
/** How many times a request's mean the load must have been steady before latencies are taken for its. */
const LEAST_STEADY = 3;

/** Returns the model after one sample, of `ready` replicas that served meanwhile. */
export function learn(
  model: CapacityModel,
  traffic: TrafficSample,
  ready: number,
  targets: ScalingTargets,
): CapacityModel {
  const { intervalMs } = traffic;
  if (intervalMs <= 0) return model;
  const next = learnBudget({ ...model }, traffic, targets);
  if (ready === 0) return { ...next, concurrency: undefined, slowConcurrency: undefined, steadyMs: 0 };
  const lasts = Math.max(10_000, meanMs(model.alone) ?? 0);
  // What slows requests down is all that runs beside them, also what is of batches.
  const now = (traffic.inFlight - traffic.held + (traffic.batchInFlight ?? 0)) / ready;
  next.concurrency = smoothed(model.concurrency, now, intervalMs / lasts);
  // From nothing, so that what a replica begins with, a queue that was held maybe, counts for nothing.
  next.slowConcurrency = smoothed(model.slowConcurrency ?? 0, now, intervalMs / (6 * lasts));
  next.steadyMs = traffic.held > 0 || !isSteady(next) || !isEven(traffic) ? 0 : model.steadyMs + intervalMs;
  if (next.steadyMs < LEAST_STEADY * lasts) return next;
  next.line = learnLine(model.line, traffic);
  // Of a mixture, the longest must have had that time too: who counts only the short ones believes all to be short.
  const longest = Math.max(quantileOf(traffic.ages, 0.95) ?? 0, quantileOf(traffic.latency, 0.95) ?? 0);
  if (longest > next.steadyMs) return next;
  const told = upTo(traffic.latency, next.steadyMs);
  if (total(told) > 0) {
    next.alone = scaled(model.alone, halved(intervalMs, ALONE_HALF_LIFE_MS));
    addCounts(next.alone, dividedBy(told, slowdown(tokenTime(next.line), next.concurrency)));
    const seen = Math.min(next.concurrency, meanRunning(traffic));
    next.seenConcurrency = Math.max(seen, model.seenConcurrency * halved(intervalMs, LINE_HALF_LIFE_MS));
  }
  return learnTokens(next, model, traffic);
}

/** Requests that an engine works on: what waits in it is not carried by it. Without a word of any engine nobody knows. */
function meanRunning({ engines }: TrafficSample): number {
  if (engines.length === 0) return Number.POSITIVE_INFINITY;
  return engines.reduce((sum, { running }) => sum + running, 0) / engines.length;
}

/** Whether requests that end now have spent their time under about the load of now. */
function isSteady({ concurrency = 0, slowConcurrency = 0 }: CapacityModel): boolean {
  const spread = 2 * Math.sqrt(slowConcurrency) + 1;
  return Math.abs(concurrency - slowConcurrency) <= Math.max(spread, 0.3 * slowConcurrency);
}

/** Whether replicas carry about the same: an average over others says nothing of any. */
function isEven(traffic: TrafficSample): boolean {
  const mean = meanRunning(traffic);
  return traffic.engines.every(({ running }) => running <= 2 * mean + 3 * Math.sqrt(mean) + 3);
}

function smoothed(before: number | undefined, now: number, share: number): number {
  return before === undefined ? now : before + (1 - Math.exp(-share)) * (now - before);
}

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
  const rateAt = (concurrency: number): number => {
    const learned = (concurrency * 1000) / (mean * slowdown(time, concurrency));
    return Math.exp(confidence * Math.log(learned) + (1 - confidence) * Math.log(targets.targetRps));
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
  };
}

/** Returns what the spec says a replica can do, until something is learned. */
export function assumedCapacity({ targetRps, targetLatencyMs }: ScalingTargets): Capacity {
  return {
    // By Little's law, where requests take half of what they may.
    concurrency: Math.max(1, (targetRps * targetLatencyMs) / 2 / 1000),
    requestsPerSecond: targetRps,
    lastingRequestsPerSecond: targetRps,
    unloadedP95Ms: 0,
    confidence: 0,
  };
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

function learnLine(line: SlowdownLine, traffic: TrafficSample): SlowdownLine {
  let next = forget(line, halved(traffic.intervalMs, LINE_HALF_LIFE_MS));
  for (const { running, waiting, generatedTokens, intervalMs } of traffic.engines) {
    if (waiting > running || running < 0.5 || generatedTokens < 10) continue;
    if (!Number.isFinite(running * running * intervalMs)) continue;
    next = addSample(next, running, (running * intervalMs) / generatedTokens);
  }
  return next;
}

function learnBudget(model: CapacityModel, traffic: TrafficSample, targets: ScalingTargets): CapacityModel {
  // By another target, other requests were late.
  const isSame = model.targetLatencyMs === targets.targetLatencyMs;
  const fade = isSame ? halved(traffic.intervalMs, BUDGET_HALF_LIFE_MS) : 0;
  return {
    ...model,
    targetLatencyMs: targets.targetLatencyMs,
    late: model.late * fade + countAbove(traffic.latency, targets.targetLatencyMs),
    completed: model.completed * fade + total(traffic.latency),
    countedMs: model.countedMs * fade + traffic.intervalMs,
  };
}

function learnTokens(next: CapacityModel, model: CapacityModel, traffic: TrafficSample): CapacityModel {
  const fade = halved(traffic.intervalMs, ALONE_HALF_LIFE_MS);
  return {
    ...next,
    promptTokens: model.promptTokens * fade + ofClients(traffic, 'promptTokens'),
    generatedTokens: model.generatedTokens * fade + ofClients(traffic, 'generatedTokens'),
    requests: model.requests * fade + total(traffic.latency),
  };
}

function ofClients({ engines }: TrafficSample, tokens: 'promptTokens' | 'generatedTokens'): number {
  return engines.reduce((sum, engine) => sum + engine[tokens] * onlineShare(engine), 0);
}

/** Returns what is left after so long of what halves in `halfLifeMs`, 0 to 1. */
export function halved(afterMs: number, halfLifeMs: number): number {
  return 0.5 ** (afterMs / halfLifeMs);
}
