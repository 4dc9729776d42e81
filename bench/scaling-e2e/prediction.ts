/** Pure: what the simulation predicts of a run on the cluster. */
import { TICK_MS } from '../../src/autoscaler/observation.ts';
import { infer } from '../autoscaler/contestant-infer.ts';
import { simulatePolicy, type Cell } from '../autoscaler/simulation.ts';
import type { Outcome, Workload } from '../autoscaler/types.ts';
import { FIGURES, type Figures } from './figures.ts';

/** Of each figure, over the moments of the operator's ticks. */
export interface Prediction {
  mean: Figures;
  least: Figures;
  most: Figures;
}

/**
 * Where the operator's ticks fall between the arrivals is chance, and one replica more at the first of them changes all
 * that comes after. So it is predicted for this many of the places.
 */
const PHASES = 20;

/** Returns what comes of the product's rule in a cell. */
export function predict(cell: Cell): Prediction {
  const outcomes = Array.from({ length: PHASES }, (_, phase): Outcome => {
    const workload = laterBy((phase * TICK_MS) / PHASES, cell.workload);
    return simulatePolicy({ ...cell, workload }, infer('Infer')).outcome;
  });
  const over = (reduce: (values: number[]) => number): Figures => {
    const entries = FIGURES.map((figure) => [figure, reduce(outcomes.map((outcome) => outcome[figure]))]);
    return Object.fromEntries(entries) as Figures;
  };
  return {
    mean: over((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    least: over((values) => Math.min(...values)),
    most: over((values) => Math.max(...values)),
  };
}

function laterBy(ms: number, workload: Workload): Workload {
  return {
    ...workload,
    requests: workload.requests.map((request) => ({ ...request, arrivalMs: request.arrivalMs + ms })),
    warmUpMs: workload.warmUpMs + ms,
    endMs: workload.endMs + ms,
  };
}
