/** Plans as counts on an even grid of time, which is what the search for the cheapest one changes. */
import type { Outcome, Workload } from './types.ts';

export type Plan = Outcome['plan'];

export const STEP_MS = 5_000;

/** An output token weighs about as much as this many prompt tokens. */
const OUTPUT_WEIGHT = 9;

/** Returns how many steps a workload has. */
export function stepsOf({ endMs }: Workload): number {
  return Math.ceil(endMs / STEP_MS);
}

/** Returns the work that arrives in each step, in prompt tokens per second. */
export function arrivingWork(workload: Workload): Float64Array {
  const work = new Float64Array(stepsOf(workload));
  for (const { arrivalMs, promptTokens, outputTokens } of workload.requests) {
    const step = Math.floor(arrivalMs / STEP_MS);
    work[step] = (work[step] ?? 0) + ((promptTokens + OUTPUT_WEIGHT * outputTokens) / STEP_MS) * 1_000;
  }
  return work;
}

/** Returns the mean of each value with those around it, over `width` values. */
export function smooth(values: Float64Array, width: number): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [at, value] of values.entries()) sums[at + 1] = (sums[at] as number) + value;
  const half = Math.floor(width / 2);
  return values.map((_, at) => {
    const from = Math.max(0, at - half);
    const to = Math.min(values.length, at - half + width);
    return ((sums[to] as number) - (sums[from] as number)) / (to - from);
  });
}

/** Returns the highest of each value and the `ahead` ones after it. */
export function highestAhead(values: readonly number[], ahead: number): number[] {
  const result: number[] = [];
  // Positions whose values fall from front to back: the front is the highest of the window.
  const queue: number[] = [];
  for (let at = values.length - 1; at >= 0; at--) {
    while (queue.length > 0 && (values[queue.at(-1) as number] as number) <= (values[at] as number)) queue.pop();
    queue.push(at);
    while ((queue[0] as number) > at + ahead) queue.shift();
    result[at] = values[queue[0] as number] as number;
  }
  return result;
}

/** Returns the plan that wants `counts[i]` from step i on. */
export function planOf(counts: readonly number[]): Plan {
  return counts.flatMap((count, at): [number, number][] => (count === counts[at - 1] ? [] : [[at * STEP_MS, count]]));
}

/** Returns the counts of a plan: of each step the highest in it, so that nothing falls below the plan. */
export function countsOf(plan: Plan, steps: number): number[] {
  const counts: number[] = [];
  let next = 0;
  let count = 0;
  for (let at = 0; at < steps; at++) {
    let highest = (plan[next]?.[0] ?? Infinity) <= at * STEP_MS ? 0 : count;
    for (; (plan[next]?.[0] ?? Infinity) < (at + 1) * STEP_MS; next++) {
      count = plan[next]?.[1] ?? count;
      highest = Math.max(highest, count);
    }
    counts.push(highest);
  }
  return counts;
}
