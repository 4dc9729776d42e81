/** Pure: what a sample of the traffic teaches of a replica's capacity (capacity.ts), and what makes all of it forgotten. */
import { addCounts, total, type Counts } from '../channel/histogram.ts';
import { BUDGET_HALF_LIFE_MS, UNLEARNED, type CapacityModel } from './capacity.ts';
import {
  addToPace,
  areLonger,
  contradictsPace,
  LENGTHS_HALF_LIFE_MS,
  withoutRecent,
  type PaceSample,
} from './contradiction.ts';
import { halved } from './fading.ts';
import { countAbove, dividedBy, meanMs, quantileOf, scaled, upTo } from './latencies.ts';
import { onlineShare, type EngineSample, type ScalingTargets, type TrafficSample } from './observation.ts';
import { addSample, forget, slowdown, tokenTime, type SlowdownLine } from './slowdown.ts';
import { addToThroughput } from './throughput.ts';

/** Half of what was learned is forgotten after so long, in milliseconds of traffic. */
const LINE_HALF_LIFE_MS = 60 * 60_000;
const ALONE_HALF_LIFE_MS = 10 * 60_000;

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
  next.throughput = addToThroughput(model.throughput, traffic, ready);
  if (ready === 0) return rested(next);
  const lasts = Math.max(10_000, meanMs(model.alone) ?? 0);
  // What slows requests down is all that runs beside them, also what is of batches.
  const now = (traffic.inFlight - traffic.held + (traffic.batchInFlight ?? 0)) / ready;
  next.concurrency = smoothed(model.concurrency, now, intervalMs / lasts);
  // From nothing, so that what a replica begins with, a queue that was held maybe, counts for nothing.
  next.slowConcurrency = smoothed(model.slowConcurrency ?? 0, now, intervalMs / (6 * lasts));
  const paced = paceSample(traffic);
  if (paced) next.pace = addToPace(model.pace, paced, intervalMs);
  if (contradictsPace(next.pace)) return forgotten(next);
  next.steadyMs = traffic.held > 0 || !isSteady(next) || !isEven(traffic) ? 0 : model.steadyMs + intervalMs;
  if (next.steadyMs < LEAST_STEADY * lasts) return next;
  next.line = learnLine(model.line, traffic);
  // Of a mixture, the longest must have had that time too: who counts only the short ones believes all to be short.
  const longest = Math.max(quantileOf(traffic.ages, 0.95) ?? 0, quantileOf(traffic.latency, 0.95) ?? 0);
  if (longest > next.steadyMs) return next;
  const told = upTo(traffic.latency, next.steadyMs);
  if (total(told) > 0) {
    const alone = dividedBy(told, slowdown(tokenTime(next.line), next.concurrency));
    Object.assign(next, learnAlone(model, alone, traffic));
    const seen = Math.min(next.concurrency, meanRunning(traffic));
    next.seenConcurrency = Math.max(seen, model.seenConcurrency * halved(intervalMs, LINE_HALF_LIFE_MS));
  }
  return learnTokens(next, model, traffic);
}

/** Returns the model while nothing serves: what comes then has nothing to do with what was last. */
function rested(model: CapacityModel): CapacityModel {
  const pace = withoutRecent(model.pace);
  return { ...model, pace, recentAlone: new Map(), concurrency: undefined, slowConcurrency: undefined, steadyMs: 0 };
}

/** Returns what is left of `model` where requests have become others: how many there are, and what was late. */
function forgotten(model: CapacityModel): CapacityModel {
  const { concurrency, slowConcurrency, targetLatencyMs, late, completed, countedMs } = model;
  return { ...UNLEARNED, concurrency, slowConcurrency, targetLatencyMs, late, completed, countedMs };
}

/**
 * Returns whether all that `before` had learned is missing in one of those that came `after` it, also since they are of
 * another model or profile: what is there was asked for by nothing that is known now.
 */
export function wasForgotten(before: CapacityModel, after: readonly CapacityModel[]): boolean {
  return before.alone.size > 0 && after.some(({ alone }) => alone.size === 0);
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
  return traffic.engines.every(({ running }) => running <= mostAround(mean));
}

function smoothed(before: number | undefined, now: number, share: number): number {
  return before === undefined ? now : before + (1 - Math.exp(-share)) * (now - before);
}

function learnLine(line: SlowdownLine, traffic: TrafficSample): SlowdownLine {
  return asUsual(traffic.engines.filter(tellsOfTokens)).reduce(
    (sums, engine) => addSample(sums, engine.running, tokenMs(engine)),
    forget(line, halved(traffic.intervalMs, LINE_HALF_LIFE_MS)),
  );
}

/**
 * Returns the engines that work on about as many requests as most do, at least half of those given. One that works off what
 * buried it takes in next to no prompts beside it, and is faster than any will be with that many.
 */
function asUsual(engines: readonly EngineSample[]): EngineSample[] {
  const running = engines.map((engine) => engine.running).toSorted((a, b) => a - b);
  const median = running[Math.floor((running.length - 1) / 2)] ?? 0;
  return engines.filter((engine) => engine.running <= mostAround(median));
}

/** Returns how many requests an engine has beside others that have `usual`, by chance and for a while. */
function mostAround(usual: number): number {
  return 2 * usual + 3 * Math.sqrt(usual) + 3;
}

/** Of engines of which jobs of batches have no part; undefined without any. */
function paceSample({ engines }: TrafficSample): PaceSample | undefined {
  const online = engines.filter((engine) => tellsOfTokens(engine) && onlineShare(engine) === 1);
  if (online.length === 0) return undefined;
  const mean = (of: (engine: EngineSample) => number): number =>
    online.reduce((sum, engine) => sum + of(engine), 0) / online.length;
  return { batch: mean(({ running }) => running), time: mean(tokenMs) };
}

function tellsOfTokens(engine: EngineSample): boolean {
  const { running, waiting, generatedTokens, intervalMs } = engine;
  return (
    intervalMs > 0 &&
    waiting <= running &&
    running >= 0.5 &&
    generatedTokens >= 10 &&
    Number.isFinite(running * tokenMs(engine))
  );
}

/** Milliseconds that a token took each of the requests that the engine decoded together. */
function tokenMs({ running, intervalMs, generatedTokens }: EngineSample): number {
  return (running * intervalMs) / generatedTokens;
}

/** Returns the latencies with those of `told`, as they would have been alone; where those are longer, they alone count. */
function learnAlone(
  model: CapacityModel,
  told: Counts,
  { intervalMs, batchInFlight = 0 }: TrafficSample,
): Pick<CapacityModel, 'alone' | 'recentAlone'> {
  const alone = fadedSum(model.alone, told, halved(intervalMs, ALONE_HALF_LIFE_MS));
  // What batches slow down is no change of what clients send.
  if (batchInFlight > 0) return { alone, recentAlone: new Map() };
  const recentAlone = fadedSum(model.recentAlone, told, halved(intervalMs, LENGTHS_HALF_LIFE_MS));
  if (!areLonger(recentAlone, model.alone)) return { alone, recentAlone };
  // As many as if they had come for as long as the others: a few short ones must not outweigh them at once.
  const weight = Math.min(ALONE_HALF_LIFE_MS / LENGTHS_HALF_LIFE_MS, total(alone) / total(recentAlone));
  return { alone: scaled(recentAlone, weight), recentAlone: new Map() };
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

function fadedSum(counts: Counts, more: Counts, factor: number): Counts {
  const sum = scaled(counts, factor);
  addCounts(sum, more);
  return sum;
}
