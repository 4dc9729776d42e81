/** Pure: what came of the requests, as the simulation's outcome has it, and how far the simulation was from it. */
import { scoreRun } from '../autoscaler/outcome.ts';
import type { Outcome, Workload } from '../autoscaler/types.ts';
import type { Sent } from './sender.ts';

/** The numbers of an outcome that are compared. */
export const FIGURES = [
  'attainment',
  'latencyP95Ms',
  'latencyP99Ms',
  'firstTokenP95Ms',
  'badMinutes',
  'gpuHours',
  'changes',
  'reversals',
] as const satisfies (keyof Outcome)[];

export type Figures = Pick<Outcome, (typeof FIGURES)[number]>;

/** Returns the outcome of requests that were sent, in the order of the workload's; a latency begins at the arrival. */
export function outcomeOf(
  sent: readonly Sent[],
  run: { workload: Workload; targetLatencyMs: number; gpuHours: number; plan: Outcome['plan'] },
): Outcome {
  const { requests } = run.workload;
  return scoreRun({
    policy: 'Infer',
    ...run,
    journal: {
      promptTokens: Int32Array.from(requests, ({ promptTokens }) => promptTokens),
      outputTokens: Int32Array.from(requests, ({ outputTokens }) => outputTokens),
      firstTokenAtMs: Float64Array.from(sent, ({ firstTokenAtMs }) => firstTokenAtMs ?? NaN),
      // What failed has no end.
      endedAtMs: Float64Array.from(sent, ({ endedAtMs, outcome }) => (outcome === 'ok' ? endedAtMs : NaN)),
    },
    arrivalsMs: Float64Array.from(requests, ({ arrivalMs }) => arrivalMs),
    lastMs: sent.reduce((last, { endedAtMs }) => Math.max(last, endedAtMs), run.workload.endMs),
  });
}

/** Returns measured over predicted of each figure, to three decimals; 1 where both are 0, null where only the latter is. */
export function ratiosOf(measured: Figures, predicted: Figures): Record<string, number | null> {
  return Object.fromEntries(
    FIGURES.map((figure) => {
      const [is, should] = [measured[figure], predicted[figure]];
      if (should === 0) return [figure, is === 0 ? 1 : null];
      return [figure, Math.round((1_000 * is) / should) / 1_000];
    }),
  );
}

/** Returns how late requests were sent after their arrivals, in milliseconds: sorted, as far as they are scored. */
export function lateness(sent: readonly Sent[], { requests, warmUpMs }: Workload): Float64Array {
  const late = sent.flatMap(({ sentAtMs }, index) => {
    const arrivalMs = requests[index]?.arrivalMs ?? 0;
    return arrivalMs < warmUpMs ? [] : sentAtMs - arrivalMs;
  });
  return Float64Array.from(late).sort();
}
