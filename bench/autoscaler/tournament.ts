/**
 * Both contests over all cells. First the cells of the first seed, in which each rival's grid is tried as well; then the
 * others, and in every cell each rival with the settings that were best on another workload with the same target and
 * cold start: another one in each seed.
 */
import type { CellSpec } from './cells.ts';
import type { CellAnswer, CellTask, RivalSettings } from './evaluate.ts';
import type { CellName, CellResult } from './score.ts';
import type { Series } from './series.ts';

export interface TournamentResult {
  cells: CellResult[];
  series: { cell: CellName; series: Series }[];
}

type RunTasks = (tasks: readonly CellTask[]) => Promise<CellAnswer[]>;

const FIRST_SEED = 1;

/** Returns the results of all cells. `isPlotted` chooses those that come with series. */
export async function tournament(
  specs: readonly CellSpec[],
  isPlotted: (spec: CellSpec) => boolean,
  run: RunTasks,
): Promise<TournamentResult> {
  const first = specs.filter(({ seed }) => seed === FIRST_SEED);
  const explored = await run(
    first.map((spec) => ({ spec, withAll: true, withGrids: true, withSeries: isPlotted(spec) })),
  );
  const byKind = new Map(first.map((spec, index) => [kindOf(spec), explored[index]]));
  const rest = await run(
    specs.map((spec) => {
      const hint = byKind.get(kindOf(spec))?.hint;
      const tuned = tunedElsewhere(spec, first, explored);
      const isFirst = spec.seed === FIRST_SEED;
      return {
        spec,
        withAll: !isFirst,
        withGrids: false,
        withSeries: false,
        ...(hint !== undefined && { hint }),
        ...(tuned !== undefined && { tuned }),
      };
    }),
  );
  const cells = specs.map((spec, index): CellResult => {
    const answer = rest[index] as CellAnswer;
    const earlier = spec.seed === FIRST_SEED ? byKind.get(kindOf(spec)) : undefined;
    if (earlier === undefined) return answer.result;
    return { ...earlier.result, outcomes: [...earlier.result.outcomes, ...answer.result.outcomes] };
  });
  const series = explored.flatMap(({ result, series: own }) =>
    own === undefined ? [] : [{ cell: result, series: own }],
  );
  return { cells, series };
}

function kindOf({ workload, targetFactor, coldStartSeconds }: CellName): string {
  return [workload, targetFactor, coldStartSeconds].join(' ');
}

/** Returns the settings that were best on another workload; undefined where there is none that any plan attains. */
export function tunedElsewhere(
  spec: CellSpec,
  first: readonly CellSpec[],
  explored: readonly Pick<CellAnswer, 'best'>[],
): RivalSettings | undefined {
  const own = first.findIndex((candidate) => kindOf(candidate) === kindOf(spec));
  // In turn from the one after its own.
  const turned = [...first.keys()].map((offset) => (own + offset) % first.length);
  const elsewhere = turned.flatMap((index) => {
    const candidate = first[index];
    const best = explored[index]?.best;
    const isOther = candidate !== undefined && !isSameTraffic(candidate, spec);
    const isSameKind =
      candidate?.targetFactor === spec.targetFactor && candidate.coldStartSeconds === spec.coldStartSeconds;
    return isOther && isSameKind && best !== undefined ? [best] : [];
  });
  return elsewhere[(spec.seed - FIRST_SEED) % Math.max(1, elsewhere.length)];
}

/** The trace is no other workload at another scale. */
function isSameTraffic(one: CellSpec, other: CellSpec): boolean {
  return ('copies' in one.source && 'copies' in other.source) || one.workload === other.workload;
}
