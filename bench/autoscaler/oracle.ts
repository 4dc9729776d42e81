/**
 * The cheapest plan that is known for a cell: what somebody would do who knows all requests beforehand. A search over
 * counts from the work that will arrive, then replicas taken away bit by bit. Its GPU-hours are what policies are
 * measured against, so that they need to be low, not the lowest there are.
 */
import { WANTED_ATTAINMENT } from './outcome.ts';
import { arrivingWork, countsOf, highestAhead, planOf, smooth, STEP_MS, stepsOf } from './plan-grid.ts';
import { simulatePlan, type Cell } from './simulation.ts';
import { thin } from './thinning.ts';
import type { Outcome } from './types.ts';

export const ORACLE = 'oracle';

/** What a search found, to begin with in another cell of the same kind. */
export interface SearchHint {
  widthSteps: number;
  /** Work per second that a replica is given. */
  capacity: number;
  constant: number;
}

export interface SearchResult {
  /** The cheapest plan with enough attainment; undefined where none was found. */
  best: Outcome | undefined;
  /** The fewest replicas that attain it without ever changing. */
  bestConstant: Outcome | undefined;
  hint: SearchHint | undefined;
}

/** Windows over which arriving work is averaged, in steps: a minute, four, and fifteen. */
const WIDTHS = [12, 48, 180];
/** By this the capacity is widened until it brackets the wanted attainment. */
const STRIDE = 1.2;
const HALVINGS = 4;
/** Simulations spent on taking replicas away; fewer where a hint says where to begin. */
const THINNING_BUDGET = 24;
const THINNING_BUDGET_WITH_HINT = 12;

/**
 * Returns the cheapest plan found for a cell. `known` are outcomes of other policies in it: the cheapest that attains is
 * a plan like any other, and may be where replicas are taken away from.
 */
export function searchPlans(cell: Cell, known: readonly Outcome[], hint?: SearchHint): SearchResult {
  const search = new PlanSearch(cell);
  const bestConstant = search.constant(hint?.constant);
  if (bestConstant === undefined) return { best: undefined, bestConstant, hint: undefined };
  const constant = bestConstant.plan.at(-1)?.[1] ?? 1;
  const byWidth = search.byWidths(hint, constant);
  const attaining = [bestConstant, ...byWidth.outcomes, ...known].filter(attains);
  const cheapest = attaining.reduce((best, outcome) => (outcome.gpuHours < best.gpuHours ? outcome : best));
  const thinned = thin({
    counts: countsOf(cheapest.plan, stepsOf(cell.workload)),
    workload: cell.workload,
    work: smooth(search.work, WIDTHS[0] ?? 1),
    capacity: byWidth.hint.capacity,
    coldStartSteps: Math.ceil(cell.coldStartMs / STEP_MS),
    minReplicas: cell.targets.minReplicas,
    budget: hint === undefined ? THINNING_BUDGET : THINNING_BUDGET_WITH_HINT,
    run: (counts) => search.run(counts),
  });
  const best = thinned !== undefined && thinned.gpuHours < cheapest.gpuHours ? thinned : cheapest;
  return { best, bestConstant, hint: { ...byWidth.hint, constant } };
}

/** Returns whether enough requests ended in time. */
export function attains({ attainment }: Outcome): boolean {
  return attainment >= WANTED_ATTAINMENT;
}

class PlanSearch {
  readonly work: Float64Array;
  readonly #cell: Cell;

  constructor(cell: Cell) {
    this.#cell = cell;
    this.work = arrivingWork(cell.workload);
  }

  run(counts: readonly number[]): Outcome {
    return simulatePlan(this.#cell, ORACLE, planOf(counts)).outcome;
  }

  /** Returns the smallest constant count that attains, looking first around `guess`. */
  constant(guess?: number): Outcome | undefined {
    const { maxReplicas } = this.#cell.targets;
    const at = (count: number): Outcome => simulatePlan(this.#cell, `constant ${count}`, [[0, count]]).outcome;
    let low = 0;
    let high = maxReplicas + 1;
    let best: Outcome | undefined;
    let next = Math.min(guess ?? Math.ceil(maxReplicas / 3), maxReplicas);
    while (high - low > 1) {
      const outcome = at(next);
      if (attains(outcome)) {
        best = outcome;
        high = next;
        next = Math.max(low + 1, guess === undefined ? (low + high) >> 1 : high - 1);
      } else {
        low = next;
        next = Math.min(high - 1, guess === undefined ? (low + high + 1) >> 1 : low + 1);
      }
    }
    return best;
  }

  /** Returns, of each width, the plan of the highest capacity per replica that attains. */
  byWidths(hint: SearchHint | undefined, constant: number): { outcomes: Outcome[]; hint: SearchHint } {
    const widths = hint === undefined ? WIDTHS : [hint.widthSteps];
    const peak = smooth(this.work, WIDTHS.at(-1) ?? 1).reduce((most, value) => Math.max(most, value), 0);
    let start = hint?.capacity ?? peak / constant;
    let best: { outcome: Outcome; hint: SearchHint } | undefined;
    const outcomes: Outcome[] = [];
    for (const widthSteps of widths) {
      const found = this.#byCapacity(smooth(this.work, widthSteps), start);
      if (found === undefined) continue;
      start = found.capacity;
      outcomes.push(found.outcome);
      if (best !== undefined && best.outcome.gpuHours <= found.outcome.gpuHours) continue;
      best = { outcome: found.outcome, hint: { widthSteps, capacity: found.capacity, constant } };
    }
    return { outcomes, hint: best?.hint ?? { widthSteps: WIDTHS[0] ?? 1, capacity: start, constant } };
  }

  #byCapacity(work: Float64Array, start: number): { outcome: Outcome; capacity: number } | undefined {
    const at = (capacity: number): Outcome => this.run(this.#countsFor(work, capacity));
    let low = start;
    let outcome = at(low);
    let high = low;
    if (attains(outcome)) {
      for (let tries = 0; tries < 8; tries++) {
        high = low * STRIDE;
        const next = at(high);
        if (!attains(next)) break;
        [low, outcome] = [high, next];
      }
    } else {
      for (let tries = 0; tries < 8 && !attains(outcome); tries++) {
        high = low;
        low /= STRIDE;
        outcome = at(low);
      }
      if (!attains(outcome)) return undefined;
    }
    for (let halving = 0; halving < HALVINGS; halving++) {
      const middle = Math.sqrt(low * high);
      const next = at(middle);
      if (attains(next)) [low, outcome] = [middle, next];
      else high = middle;
    }
    return { outcome, capacity: low };
  }

  /** Wanted early enough that what serves at any time suffices for the work around it. */
  #countsFor(work: Float64Array, capacity: number): number[] {
    const { targets, coldStartMs } = this.#cell;
    const serving = Array.from(work, (value) =>
      Math.min(targets.maxReplicas, Math.max(targets.minReplicas, Math.ceil(value / capacity))),
    );
    return highestAhead(serving, Math.ceil(coldStartMs / STEP_MS));
  }
}
