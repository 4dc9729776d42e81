/** One run on the cluster, beside the simulation of it. */
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { quantileOf } from '../autoscaler/outcome.ts';
import { simulatePlan } from '../autoscaler/simulation.ts';
import type { CellTargets, Outcome, Workload } from '../autoscaler/types.ts';
import { DEPLOYMENT, type Bed } from './bed.ts';
import { ENGINE_MODEL } from './engine.ts';
import { lateness, outcomeOf } from './figures.ts';
import { heldMs, planOf, startTimesMs } from './lifetimes.ts';
import { predict, type Prediction } from './prediction.ts';
import { replay } from './replay.ts';
import type { Sent } from './sender.ts';

/** From telling the sender to its first request. */
const LEAD_MS = 3_000;

/** Processor time that the whole machine has spent, in milliseconds. */
function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/** Returns how many processors of the machine were busy on average while the requests that are scored came. */
async function busyProcessors(startsAtMs: number, { warmUpMs, endMs }: Workload): Promise<number> {
  await delay(startsAtMs + warmUpMs - Date.now());
  const [before, beforeMs] = [busyMs(), performance.now()];
  await delay(startsAtMs + endMs - Date.now());
  return (busyMs() - before) / (performance.now() - beforeMs);
}

export interface Measured extends Outcome {
  /** Of all requests, those of the warm-up included. */
  failed: number;
  cut: number;
  /** The first of what went wrong with them. */
  faults: string[];
  /** Of the replicas that came while the requests did, from creation to readiness. */
  startSeconds: number[];
  /** How late requests were sent; more than a few milliseconds tell that the machine was too busy to measure. */
  sentLateMs: { p50: number; p95: number; max: number };
  /** Of the whole machine, whoever used them. */
  busyProcessors: number;
}

export interface Result {
  measured: Measured;
  predicted: Prediction & { startSeconds: number };
  /** The simulation wanting what was wanted on the cluster: what differs from it is not the scaler's doing. */
  replayed: Outcome;
}

/**
 * Returns what comes of a workload on a bed whose initial replicas serve, and what the simulation predicted of it from
 * how long those took to start.
 */
export async function measure(
  bed: Bed,
  workload: Workload,
  targets: CellTargets,
  progress: (line: string) => void,
): Promise<Result> {
  const { baseUrl, key, watch } = bed;
  const initialMs = startTimesMs(watch.lifetimes, 0, Infinity);
  const coldStartMs = initialMs.reduce((sum, each) => sum + each, 0) / initialMs.length;
  progress(
    `the first replicas took ${(coldStartMs / 1_000).toFixed(1)} s to serve, which is the prediction's cold start`,
  );
  const cell = { workload, targets, engine: ENGINE_MODEL, coldStartMs };
  const predicted = predict(cell);

  const { requests, warmUpMs, endMs } = workload;
  progress(`${requests.length} requests in ${endMs / 1_000} s, the first ${warmUpMs / 1_000} s not scored`);
  const startsAtMs = Date.now() + LEAD_MS;
  const [sent, busy] = await Promise.all([
    replay({ baseUrl, key, model: DEPLOYMENT, startsAtMs, requests }),
    busyProcessors(startsAtMs, workload),
    delay(LEAD_MS).then(async () => await bed.release()),
  ]);
  const { lifetimes } = watch;
  const held = heldMs(lifetimes, startsAtMs + warmUpMs, startsAtMs + endMs);
  const outcome = outcomeOf(sent, {
    workload,
    targetLatencyMs: targets.targetLatencyMs,
    gpuHours: (held * ENGINE_MODEL.gpus) / 3_600_000,
    plan: planOf(watch.wanted, startsAtMs),
  });
  const late = lateness(sent, workload);
  const count = (wanted: Sent['outcome']): number => sent.filter(({ outcome: is }) => is === wanted).length;
  return {
    measured: {
      ...outcome,
      failed: count('failed'),
      cut: count('cut'),
      faults: sent.flatMap(({ fault }) => fault || []).slice(0, 5),
      startSeconds: startTimesMs(lifetimes, startsAtMs, startsAtMs + endMs).map((ms) => rounded(ms / 1_000)),
      sentLateMs: {
        p50: rounded(quantileOf(late, 0.5)),
        p95: rounded(quantileOf(late, 0.95)),
        max: rounded(quantileOf(late, 1)),
      },
      busyProcessors: Math.round(100 * busy) / 100,
    },
    predicted: { ...predicted, startSeconds: rounded(coldStartMs / 1_000) },
    replayed: simulatePlan(cell, 'replayed', outcome.plan).outcome,
  };
}

function rounded(value: number): number {
  return Math.round(10 * value) / 10;
}
