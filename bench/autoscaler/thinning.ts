/** Taking replicas away from a plan, bit by bit, for as long as enough requests end in time. */
import { WANTED_ATTAINMENT } from './outcome.ts';
import { STEP_MS } from './plan-grid.ts';
import type { Outcome, Workload } from './types.ts';

export interface Thinning {
  /** Of the plan to begin with, by step. */
  counts: readonly number[];
  workload: Workload;
  /** Arriving by step, per second, and what a replica can do of it: for guesses only. */
  work: Float64Array;
  capacity: number;
  coldStartSteps: number;
  minReplicas: number;
  /** How many simulations may be run. */
  budget: number;
  run: (counts: readonly number[]) => Outcome;
}

/** Five minutes. */
const BLOCK_STEPS = 60;

interface Block {
  from: number;
  to: number;
}

/**
 * Returns the outcome of the thinnest plan found that attains; undefined where none was tried that does. Blocks of five
 * minutes lose a replica in the order in which that is likely to cost fewest late requests: several at once while that
 * goes well, half as many where it does not.
 */
export function thin(task: Thinning): Outcome | undefined {
  const { workload, run } = task;
  const first = Math.floor(workload.warmUpMs / STEP_MS);
  let counts = [...task.counts];
  let best: Outcome | undefined;
  let candidates: Block[] = [];
  for (let from = first; from < counts.length; from += BLOCK_STEPS) {
    candidates.push({ from, to: Math.min(counts.length, from + BLOCK_STEPS) });
  }
  candidates = byLateness(candidates, counts, task);
  let size = Math.max(1, Math.floor(candidates.length / 4));
  for (let runs = 0; runs < task.budget && candidates.length > 0; runs++) {
    const chosen = candidates.slice(0, size);
    const trial = without(counts, chosen, task.minReplicas);
    const outcome = run(trial);
    if (outcome.attainment >= WANTED_ATTAINMENT) {
      counts = trial;
      best = outcome;
      // They may lose another one.
      candidates = byLateness(candidates, counts, task);
    } else if (size === 1) {
      candidates = candidates.slice(1);
    } else {
      size = Math.ceil(size / 2);
    }
  }
  return best;
}

function without(counts: readonly number[], blocks: readonly Block[], minReplicas: number): number[] {
  const result = [...counts];
  for (const { from, to } of blocks) {
    for (let step = from; step < to; step++) result[step] = Math.max(minReplicas, (result[step] ?? 0) - 1);
  }
  return result;
}

/** Returns those blocks that have a replica to lose, the cheapest to take from first. */
function byLateness(blocks: readonly Block[], counts: readonly number[], task: Thinning): Block[] {
  return blocks
    .filter(({ from, to }) => counts.slice(from, to).some((count) => count > task.minReplicas))
    .map((block) => ({ block, late: lateWork(block, counts, task) }))
    .toSorted((a, b) => a.late - b.late)
    .map(({ block }) => block);
}

/** A guess of the work that comes late without one replica, until another one would have started. */
function lateWork({ from, to }: Block, counts: readonly number[], task: Thinning): number {
  const { work, capacity, coldStartSteps } = task;
  let late = 0;
  for (let step = from; step < Math.min(work.length, to + coldStartSteps); step++) {
    const arriving = work[step] ?? 0;
    const load = arriving / (capacity * Math.max(0.01, (counts[step] ?? 1) - 1));
    // All is late where what remains has a fifth more than it can do; hardly any where it has a fifth less.
    late += arriving * Math.min(1, Math.max(0.001, (load - 0.8) / 0.4));
  }
  return late;
}
