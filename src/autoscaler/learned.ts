/** Pure: what was learned of a deployment, as status shows it, and as a new leader goes on from it. */
import { bucketOf, total, type Counts } from '../channel/histogram.ts';
import { BEYOND_SEEN, UNLEARNED, type Capacity, type CapacityModel } from './capacity.ts';
import { meanMs } from './latencies.ts';
import type { Remembered } from './remembered.ts';
import { addSample, NO_LINE, tokenTime } from './slowdown.ts';

/** As in status.scaling.learned; of one replica at the latency target where nothing else is said. */
export interface Learned extends Remembered {
  /** Of which model, profile and engine settings. */
  key?: string;
  requestsPerSecond?: number;
  /** Requests in flight. */
  concurrency?: number;
  /** Requests that it was learned from, newer ones weighing more. */
  samples?: number;
  promptTokensPerSecond?: number;
  outputTokensPerSecond?: number;
  /** Milliseconds a token takes: base + perRequest times the requests decoded together. */
  tokenBaseMs?: number;
  tokenPerRequestMs?: number;
  /** Of a request that is alone. */
  unloadedMeanMs?: number;
  unloadedP95Ms?: number;
  /** From the wish for a replica to its serving. */
  loadSeconds?: number;
}

/** What a former leader learned from more requests than this is known well enough, and to be overtaken by newer ones. */
const MOST_SAMPLES = 500;
/** Batches between which a restored line is drawn; any two would do. */
const LINE_FROM = 1;
const LINE_TO = 31;

/** Returns what to show and to keep. */
export function learnedOf(
  model: CapacityModel,
  more: { key: string; capacity: Capacity | undefined; loadTimeMs: number | undefined },
): Learned {
  const { key, capacity, loadTimeMs } = more;
  const time = tokenTime(model.line);
  const perRequest = (tokens: number): number => (model.requests === 0 ? 0 : tokens / model.requests);
  const rate = capacity?.requestsPerSecond ?? 0;
  return {
    key,
    ...(capacity && {
      requestsPerSecond: rate,
      concurrency: capacity.concurrency,
      samples: Math.min(MOST_SAMPLES, total(model.alone)),
      unloadedMeanMs: meanMs(model.alone) ?? 0,
      unloadedP95Ms: capacity.unloadedP95Ms,
    }),
    ...(capacity &&
      model.promptTokens + model.generatedTokens > 0 && {
        promptTokensPerSecond: rate * perRequest(model.promptTokens),
        outputTokensPerSecond: rate * perRequest(model.generatedTokens),
      }),
    ...(model.line.weight > 0 && { tokenBaseMs: time.base, tokenPerRequestMs: time.perRequest }),
    ...(loadTimeMs !== undefined && { loadSeconds: loadTimeMs / 1000 }),
  };
}

/** Returns the model that goes on from what was learned; anything that makes no sense counts as nothing. */
export function restoredModel(learned: Learned): CapacityModel {
  const model = { ...UNLEARNED };
  const { tokenBaseMs: base, tokenPerRequestMs: perRequest, unloadedMeanMs: mean, unloadedP95Ms: p95 } = learned;
  if (isPositive(base) && isPositive(perRequest)) {
    model.line = [LINE_FROM, LINE_TO].reduce(
      (line, batch) => addSample(line, batch, base + perRequest * batch),
      NO_LINE,
    );
  }
  const { samples, concurrency } = learned;
  if (isPositive(mean) && isPositive(p95) && isPositive(samples)) {
    model.alone = histogramWith(mean, p95, Math.min(MOST_SAMPLES, samples));
  }
  // What was claimed may be claimed again, and nothing beyond.
  if (isPositive(concurrency)) model.seenConcurrency = concurrency / BEYOND_SEEN;
  return model;
}

/** Returns the load time that was learned, in milliseconds. */
export function restoredLoadTimeMs({ loadSeconds }: Learned): number | undefined {
  return isPositive(loadSeconds) ? loadSeconds * 1000 : undefined;
}

/** Two values that have this mean and this 95th percentile. */
function histogramWith(mean: number, p95: number, samples: number): Counts {
  const slow = 0.06;
  const fast = Math.max(1, Math.min(p95, (mean - slow * p95) / (1 - slow)));
  const counts: Counts = new Map([[bucketOf(p95), slow * samples]]);
  counts.set(bucketOf(fast), (counts.get(bucketOf(fast)) ?? 0) + (1 - slow) * samples);
  return counts;
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value > 0;
}
