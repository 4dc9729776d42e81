/** What came of a run, over the scored time. */
import type { Journal } from './replica.ts';
import { selectQuantile } from './select-quantile.ts';
import type { Outcome, Workload } from './types.ts';

const MINUTE_MS = 60_000;
/** Share of the requests that should end within the target. */
export const WANTED_ATTAINMENT = 0.95;

export interface FinishedRun {
  policy: string;
  workload: Workload;
  targetLatencyMs: number;
  gpuHours: number;
  plan: Outcome['plan'];
  journal: Journal;
  arrivalsMs: Float64Array;
  /** 1 for each request that came while replicas started or none served, where that is known. */
  cameWhileStarting?: Uint8Array;
  /** When the simulation gave up on requests that had not ended. */
  lastMs: number;
}

/** Returns the outcome of a run. A request that never ended, or had no first token, counts with its age at the end. */
export function scoreRun(run: FinishedRun): Outcome {
  const { workload, journal, arrivalsMs, cameWhileStarting, targetLatencyMs, plan, lastMs } = run;
  const from = firstAtOrAfter(arrivalsMs, workload.warmUpMs);
  const to = firstAtOrAfter(arrivalsMs, workload.endMs);
  const latencies = new Float64Array(to - from);
  const firstTokens = new Float64Array(to - from);
  const minutes = Math.ceil((workload.endMs - workload.warmUpMs) / MINUTE_MS);
  const arrived = new Int32Array(minutes);
  const inTime = new Int32Array(minutes);
  let attained = 0;
  let lateWhileStarting = 0;
  for (let request = from; request < to; request++) {
    const arrivalMs = arrivalsMs[request] as number;
    const latencyMs = sinceMs(arrivalMs, journal.endedAtMs[request] as number, lastMs);
    latencies[request - from] = latencyMs;
    firstTokens[request - from] = sinceMs(arrivalMs, journal.firstTokenAtMs[request] as number, lastMs);
    const minute = Math.floor((arrivalMs - workload.warmUpMs) / MINUTE_MS);
    arrived[minute] = (arrived[minute] ?? 0) + 1;
    if (latencyMs > targetLatencyMs) {
      lateWhileStarting += cameWhileStarting?.[request] ?? 0;
      continue;
    }
    attained++;
    inTime[minute] = (inTime[minute] ?? 0) + 1;
  }
  return {
    policy: run.policy,
    attainment: to > from ? attained / (to - from) : 1,
    ...(cameWhileStarting && { lateWhileStarting: lateWhileStarting / Math.max(1, to - from) }),
    latencyP95Ms: selectQuantile(latencies, 0.95),
    latencyP99Ms: selectQuantile(latencies, 0.99),
    firstTokenP95Ms: selectQuantile(firstTokens, 0.95),
    badMinutes: arrived.filter((count, minute) => (inTime[minute] ?? 0) < WANTED_ATTAINMENT * count).length,
    gpuHours: run.gpuHours,
    ...changesOf(plan, workload.warmUpMs, workload.endMs),
    plan,
  };
}

/** Returns the smallest value that a share of the sorted values does not exceed; 0 where there are none. */
export function quantileOf(sorted: Float64Array, quantile: number): number {
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
}

function sinceMs(arrivalMs: number, untilMs: number, lastMs: number): number {
  return (Number.isNaN(untilMs) ? lastMs : untilMs) - arrivalMs;
}

function firstAtOrAfter(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function changesOf(plan: Outcome['plan'], fromMs: number, toMs: number): { changes: number; reversals: number } {
  let changes = 0;
  let reversals = 0;
  let lastDirection = 0;
  for (const [index, [atMs, replicas]] of plan.entries()) {
    const before = plan[index - 1];
    if (before === undefined || atMs < fromMs || atMs >= toMs) continue;
    const direction = Math.sign(replicas - before[1]);
    changes++;
    if (direction === -lastDirection) reversals++;
    lastDirection = direction;
  }
  return { changes, reversals };
}
