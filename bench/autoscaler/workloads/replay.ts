/** Workloads that replay a trace at its own pace. */
import { seededRandom } from '../../../test/load/random.ts';
import type { SimulatedRequest, Workload } from '../types.ts';

/** What is not scored at the beginning. */
export const WARM_UP_MS = 900_000;
/** Each request of each copy comes this much earlier or later at most. */
const JITTER_MS = 15_000;
/** A trace shorter than this is scored as a whole. */
const SHORT_MS = 7_200_000;

export interface ReplayOptions {
  /** How many copies of the trace run beside each other: load without compressing time. */
  copies: number;
  seed: number;
}

/**
 * Returns a workload of several copies of a trace. A trace of less than two hours is scored as a whole; before it runs
 * its own beginning, backwards, as the warm-up, so that the load is steady where the two meet. Of a longer one the first
 * 15 minutes are the warm-up.
 */
export function replay(name: string, trace: readonly SimulatedRequest[], { copies, seed }: ReplayOptions): Workload {
  const lastMs = trace.at(-1)?.arrivalMs ?? 0;
  const isShort = lastMs < SHORT_MS;
  const timed = isShort ? [...mirroredStart(trace), ...shifted(trace, Math.min(WARM_UP_MS, lastMs))] : trace;
  const endMs = timed.at(-1)?.arrivalMs ?? 0;
  const random = seededRandom(seed);
  const requests = Array.from({ length: copies }, () =>
    timed.map((request) => jittered(request, endMs, random)),
  ).flat();
  requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
  // What came at the very end is scored too.
  return { name, requests, warmUpMs: isShort ? endMs - lastMs : WARM_UP_MS, endMs: endMs + 1, minReplicas: 1 };
}

function mirroredStart(trace: readonly SimulatedRequest[]): SimulatedRequest[] {
  const spanMs = Math.min(WARM_UP_MS, trace.at(-1)?.arrivalMs ?? 0);
  return trace
    .filter(({ arrivalMs }) => arrivalMs <= spanMs)
    .map((request) => ({ ...request, arrivalMs: spanMs - request.arrivalMs }))
    .toReversed();
}

function shifted(trace: readonly SimulatedRequest[], byMs: number): SimulatedRequest[] {
  return trace.map((request) => ({ ...request, arrivalMs: request.arrivalMs + byMs }));
}

/** What would fall off either end is thrown back. */
function jittered(request: SimulatedRequest, endMs: number, random: () => number): SimulatedRequest {
  const atMs = Math.abs(request.arrivalMs + (2 * random() - 1) * JITTER_MS);
  return { ...request, arrivalMs: Math.max(0, atMs > endMs ? 2 * endMs - atMs : atMs) };
}
