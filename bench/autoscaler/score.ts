/** What the outcomes of all cells say. */
import { WANTED_ATTAINMENT } from './outcome.ts';
import { meanOf, meanWithInterval, type Interval } from './statistics.ts';
import type { Outcome } from './types.ts';

/** The contestant that is the product. */
export const INFER = 'infer';
/** With a targetRps that is wrong by WRONG_FACTOR. */
export const WRONG_FACTOR = 3;
export const INFER_TOO_HIGH = `${INFER}, targetRps × ${WRONG_FACTOR}`;
export const INFER_TOO_LOW = `${INFER}, targetRps / ${WRONG_FACTOR}`;

/** A plan that never changes and costs at most this much more than the best leaves a scaler nothing to do. */
const FLAT_MARGIN = 1.05;

export interface CellName {
  workload: string;
  /** The latency target in multiples of the unloaded p95. */
  targetFactor: number;
  coldStartSeconds: number;
  seed: number;
}

export interface CellResult extends CellName {
  targetRps: number;
  targetLatencyMs: number;
  outcomes: readonly Outcome[];
  /** GPU-hours of the cheapest plan that attains, from the search; undefined where it found none. */
  searchedGpuHours: number | undefined;
  /** GPU-hours of the fewest constant replicas that attain. */
  constantGpuHours: number | undefined;
}

/** Unattainable: no known plan attains. Flat: a constant count is about as good as any plan. */
export type CellStatus = 'scored' | 'unattainable' | 'flat';

export interface ScoredCell extends CellName {
  targetRps: number;
  targetLatencyMs: number;
  status: CellStatus;
  /** H*: GPU-hours of the cheapest known plan that attains; NaN where there is none. */
  bestGpuHours: number;
  scores: ReadonlyMap<string, Score>;
}

export interface Score extends Outcome {
  /** J: cost over the cheapest known, and one for each 5 % of the requests that were late beyond 5 %. */
  j: number;
}

/** Returns a cell with its scores; the cheapest known plan may be any contestant's. */
export function scoreCell(result: CellResult): ScoredCell {
  const { outcomes, searchedGpuHours = Infinity, constantGpuHours = Infinity, ...name } = result;
  const attained = outcomes.filter(({ attainment }) => attainment >= WANTED_ATTAINMENT);
  const best = Math.min(searchedGpuHours, constantGpuHours, ...attained.map(({ gpuHours }) => gpuHours));
  const isKnown = Number.isFinite(best);
  const isFlat = isKnown && constantGpuHours <= FLAT_MARGIN * best;
  return {
    ...name,
    status: isKnown ? (isFlat ? 'flat' : 'scored') : 'unattainable',
    bestGpuHours: isKnown ? best : NaN,
    scores: new Map(outcomes.map((outcome) => [outcome.policy, { ...outcome, j: scoreOf(outcome, best) }])),
  };
}

/** Returns J of an outcome, where the cheapest known plan costs `bestGpuHours`. */
export function scoreOf({ gpuHours, attainment }: Outcome, bestGpuHours: number): number {
  return gpuHours / bestGpuHours + Math.max(0, WANTED_ATTAINMENT - attainment) / (1 - WANTED_ATTAINMENT);
}

export interface PolicyAggregate {
  policy: string;
  meanJ: number;
  /** Of the scored cells, those in which enough requests were in time. */
  attainedShare: number;
  /** Cost over the cheapest known, on average. */
  meanCost: number;
  meanAttainment: number;
  meanChanges: number;
  meanReversals: number;
  meanBadMinutes: number;
}

export interface Comparison {
  rival: string;
  /** Infer's J less the rival's, on average over the seeds' means; below 0 Infer is better. */
  difference: Interval;
}

export interface Excess {
  j: number;
  cell: CellName;
  rival: string;
}

/** Cells in which Infer had more requests late than may be. */
export interface Missed {
  cells: number;
  /** Of them, those in which more than may be late came while replicas started or none served. */
  whileStarting: number;
}

export interface Aggregates {
  cells: Record<CellStatus, number>;
  policies: PolicyAggregate[];
  comparisons: Comparison[];
  /** The most by which Infer's J exceeds the best rival's in one cell, and in the mean of a cell's seeds. */
  worstExcess: Excess | undefined;
  worstExcessOfSeedMeans: Excess | undefined;
  missed: Missed;
  /** How much J rises with a targetRps that is wrong. */
  wrongTargetRps: { tooHigh: number; tooLow: number };
  /** Infer's changes to those of HPA with default settings, the fewer of its two. */
  changesToHpa: number;
}

/** Returns the aggregates over the cells that are scored. */
export function aggregate(cells: readonly ScoredCell[]): Aggregates {
  const scored = cells.filter(({ status }) => status === 'scored');
  const names = [...new Set(scored.flatMap(({ scores }) => [...scores.keys()]))];
  const policies = names.map((policy) => aggregatePolicy(policy, scored)).toSorted((a, b) => a.meanJ - b.meanJ);
  const count = (wanted: CellStatus): number => cells.filter(({ status }) => status === wanted).length;
  const changes = (policy: string): number =>
    policies.find((candidate) => candidate.policy === policy)?.meanChanges ?? NaN;
  return {
    cells: { scored: count('scored'), flat: count('flat'), unattainable: count('unattainable') },
    policies,
    comparisons: names.filter(isRival).map((rival) => ({
      rival,
      difference: pairedDifference(scored, INFER, rival),
    })),
    worstExcess: worstExcess(scored),
    worstExcessOfSeedMeans: worstExcess(seedMeans(scored)),
    missed: missedIn(scored),
    wrongTargetRps: {
      tooHigh: pairedDifference(scored, INFER_TOO_HIGH, INFER).mean,
      tooLow: pairedDifference(scored, INFER_TOO_LOW, INFER).mean,
    },
    changesToHpa: changes(INFER) / Math.min(changes('HPA in-flight'), changes('HPA requests')),
  };
}

/** Returns whether a policy is one to compare with. */
export function isRival(policy: string): boolean {
  return policy !== INFER && policy !== INFER_TOO_HIGH && policy !== INFER_TOO_LOW;
}

function aggregatePolicy(policy: string, cells: readonly ScoredCell[]): PolicyAggregate {
  const scores = cells.flatMap(({ scores: all, bestGpuHours }) => {
    const score = all.get(policy);
    return score === undefined ? [] : [{ ...score, cost: score.gpuHours / bestGpuHours }];
  });
  const mean = (value: (score: Score & { cost: number }) => number): number => meanOf(scores.map(value));
  return {
    policy,
    meanJ: mean(({ j }) => j),
    attainedShare: mean(({ attainment }) => Number(attainment >= WANTED_ATTAINMENT)),
    meanCost: mean(({ cost }) => cost),
    meanAttainment: mean(({ attainment }) => attainment),
    meanChanges: mean(({ changes }) => changes),
    meanReversals: mean(({ reversals }) => reversals),
    meanBadMinutes: mean(({ badMinutes }) => badMinutes),
  };
}

/** J of one policy less that of another, on the cells that both have, averaged within each seed. */
function pairedDifference(cells: readonly ScoredCell[], policy: string, other: string): Interval {
  const bySeed = Map.groupBy(cells, ({ seed }) => seed);
  const means = [...bySeed.values()].flatMap((group) => {
    const differences = group.flatMap(({ scores }) => {
      const [own, theirs] = [scores.get(policy), scores.get(other)];
      return own === undefined || theirs === undefined ? [] : [own.j - theirs.j];
    });
    return differences.length === 0 ? [] : [meanOf(differences)];
  });
  return meanWithInterval(means);
}

/** Returns how far Infer's J is above that of the best rival of a cell; negative where it is the best. */
export function excessOf({ scores, ...cell }: Pick<ScoredCell, 'scores'> & CellName): Excess | undefined {
  const own = scores.get(INFER)?.j;
  const rivals = [...scores].filter(([policy]) => isRival(policy));
  if (own === undefined || rivals.length === 0) return undefined;
  const [rival, { j }] = rivals.reduce((best, candidate) => (candidate[1].j < best[1].j ? candidate : best));
  const { workload, targetFactor, coldStartSeconds, seed } = cell;
  return { j: own - j, cell: { workload, targetFactor, coldStartSeconds, seed }, rival };
}

function missedIn(cells: readonly ScoredCell[]): Missed {
  const own = cells.flatMap(({ scores }) => scores.get(INFER) ?? []);
  return {
    cells: own.filter(({ attainment }) => attainment < WANTED_ATTAINMENT).length,
    whileStarting: own.filter(({ lateWhileStarting = 0 }) => lateWhileStarting > 1 - WANTED_ATTAINMENT).length,
  };
}

function worstExcess(cells: readonly ScoredCell[]): Excess | undefined {
  return cells.reduce<Excess | undefined>((worst, cell) => {
    const excess = excessOf(cell);
    return excess !== undefined && excess.j > (worst?.j ?? -Infinity) ? excess : worst;
  }, undefined);
}

/** Returns each cell once, with J averaged over the seeds. Its seed is 0. */
function seedMeans(cells: readonly ScoredCell[]): ScoredCell[] {
  const groups = Map.groupBy(cells, ({ workload, targetFactor, coldStartSeconds }) =>
    [workload, targetFactor, coldStartSeconds].join(' '),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const scores = [...first.scores].map(([policy, score]): [string, Score] => [
      policy,
      { ...score, j: meanOf(group.flatMap((cell) => cell.scores.get(policy)?.j ?? [])) },
    ]);
    return [{ ...first, seed: 0, scores: new Map(scores) }];
  });
}
