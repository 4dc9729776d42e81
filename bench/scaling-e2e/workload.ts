/** Minutes of a trace as requests that the simulated engine takes, at the trace's own times. */
import { seededRandom } from '../../test/load/random.ts';
import type { SimulatedRequest, Workload } from '../autoscaler/types.ts';
import { TEMPLATE_TOKENS } from './prompt.ts';

/** What is longer is cut, so that answers take seconds and a prompt one step. */
const MOST_PROMPT_TOKENS = 2_048;
const MOST_OUTPUT_TOKENS = 256;
/** Each request of a further copy comes this much earlier or later at most. */
const JITTER_MS = 15_000;

export interface Minutes {
  warmUpMs: number;
  /** Of what is scored after it. */
  durationMs: number;
  /** How many copies of the trace run beside each other; the first one has the trace's own times. */
  copies: number;
}

/** Returns the first minutes of a trace as a workload. Throws an Error where the trace is shorter. */
export function minutesOf(
  name: string,
  trace: readonly SimulatedRequest[],
  { warmUpMs, durationMs, copies }: Minutes,
): Workload {
  const endMs = warmUpMs + durationMs;
  const lastMs = trace.at(-1)?.arrivalMs ?? 0;
  if (lastMs < endMs) {
    throw new Error(`${name} has ${lastMs / 1_000} s and the bench takes ${endMs / 1_000} s; lower DURATION.`);
  }
  const random = seededRandom(1);
  const requests = Array.from({ length: copies }, (_, copy) =>
    trace.map(({ arrivalMs, promptTokens, outputTokens }) => ({
      arrivalMs: copy === 0 ? arrivalMs : Math.abs(arrivalMs + (2 * random() - 1) * JITTER_MS),
      promptTokens: Math.max(TEMPLATE_TOKENS + 1, Math.min(MOST_PROMPT_TOKENS, promptTokens)),
      outputTokens: Math.min(MOST_OUTPUT_TOKENS, outputTokens),
    })),
  )
    .flat()
    .filter(({ arrivalMs }) => arrivalMs < endMs)
    .toSorted((a, b) => a.arrivalMs - b.arrivalMs);
  return { name, requests, warmUpMs, endMs, minReplicas: 1 };
}
