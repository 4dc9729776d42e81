/** What happened in a cell over time, by minute of what is scored. */
import { quantileOf } from './outcome.ts';
import type { Cell, Run } from './simulation.ts';

const MINUTE_MS = 60_000;

export interface PolicySeries {
  policy: string;
  /** The wanted count, averaged over each minute. */
  replicas: number[];
  /** Of the requests that came in a minute, in milliseconds; NaN where none came or the quantile never ended. */
  latencyP95Ms: number[];
}

export interface Series {
  targetLatencyMs: number;
  /** Requests per second. */
  arrivals: number[];
  policies: PolicySeries[];
}

/** Returns the series of runs of one cell. */
export function seriesOf({ workload, targets }: Cell, runs: readonly Run[]): Series {
  const { warmUpMs, endMs } = workload;
  const minutes = Math.floor((endMs - warmUpMs) / MINUTE_MS);
  const starts = Array.from({ length: minutes }, (_, minute) => warmUpMs + minute * MINUTE_MS);
  return {
    targetLatencyMs: targets.targetLatencyMs,
    arrivals: starts.map((start) => (runs[0] === undefined ? 0 : within(runs[0].arrivalsMs, start).length / 60)),
    policies: runs.map((run) => ({
      policy: run.outcome.policy,
      replicas: starts.map((start) => meanCount(run.outcome.plan, start)),
      latencyP95Ms: starts.map((start) => latencyP95(run, start)),
    })),
  };
}

/** Returns the numbers of the requests that arrived within the minute. */
function within(arrivalsMs: Float64Array, start: number): number[] {
  let low = 0;
  let high = arrivalsMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((arrivalsMs[middle] as number) < start) low = middle + 1;
    else high = middle;
  }
  const requests: number[] = [];
  for (let request = low; (arrivalsMs[request] ?? Infinity) < start + MINUTE_MS; request++) requests.push(request);
  return requests;
}

function latencyP95({ arrivalsMs, journal }: Run, start: number): number {
  const latencies = Float64Array.from(within(arrivalsMs, start), (request) => {
    const endedAtMs = journal.endedAtMs[request] as number;
    return Number.isNaN(endedAtMs) ? Infinity : endedAtMs - (arrivalsMs[request] as number);
  }).sort();
  const p95 = latencies.length === 0 ? NaN : quantileOf(latencies, 0.95);
  return Number.isFinite(p95) ? p95 : NaN;
}

function meanCount(plan: Run['outcome']['plan'], start: number): number {
  let sum = 0;
  for (const [at, [fromMs, count]] of plan.entries()) {
    const untilMs = plan[at + 1]?.[0] ?? Infinity;
    sum += count * Math.max(0, Math.min(untilMs, start + MINUTE_MS) - Math.max(fromMs, start));
  }
  return sum / MINUTE_MS;
}
