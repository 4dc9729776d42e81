/** Runs what is asked for in one cell. */
import { realise, type CellSpec } from './cells.ts';
import { infer } from './contestant-infer.ts';
import { constants, RIVALS, tunedName, type Settings } from './contestants.ts';
import type { EngineModel } from './engine-model.ts';
import { ORACLE, searchPlans, type SearchHint } from './oracle.ts';
import { INFER, INFER_TOO_HIGH, INFER_TOO_LOW, scoreOf, WRONG_FACTOR, type CellResult } from './score.ts';
import { seriesOf, type Series } from './series.ts';
import { simulatePlan, simulatePolicy, type Run } from './simulation.ts';
import type { Outcome, Policy, SimulatedRequest } from './types.ts';

/** Settings by the name of the rival they are for. */
export type RivalSettings = Readonly<Record<string, Settings>>;

export interface CellTask {
  spec: CellSpec;
  /** Everybody out of the box, Infer, and the search for the cheapest plan; without it only `tuned`. */
  withAll: boolean;
  /** The best point of each rival's grid. */
  withGrids: boolean;
  hint?: SearchHint;
  /** Found on another workload. */
  tuned?: RivalSettings;
  /** What happened over time, for a plot. */
  withSeries: boolean;
}

export interface CellAnswer {
  result: CellResult;
  hint: SearchHint | undefined;
  /** With `withGrids`, where any plan attains. */
  best: RivalSettings | undefined;
  series: Series | undefined;
}

/** Returns what came of a task. Outcomes keep no plan: they travel between processes. */
export function evaluate(task: CellTask, trace: readonly SimulatedRequest[], engine: EngineModel): CellAnswer {
  const { spec, tuned = {} } = task;
  const { cell, situation } = realise(spec, trace, engine);
  const policies: Policy[] = RIVALS.flatMap((rival) => {
    const settings = tuned[rival.name];
    return settings === undefined ? [] : [rival.create(tunedName(rival), settings, situation)];
  });
  if (task.withAll) {
    policies.push(
      infer(INFER),
      infer(INFER_TOO_HIGH, WRONG_FACTOR),
      infer(INFER_TOO_LOW, 1 / WRONG_FACTOR),
      ...RIVALS.map((rival) => rival.outOfTheBox(situation)),
      ...constants(situation),
    );
  }
  const runs: Run[] = [];
  const outcomes: Outcome[] = policies.map((policy) => {
    const run = simulatePolicy(cell, policy);
    if (task.withSeries) runs.push(run);
    return run.outcome;
  });
  const search = task.withAll ? searchPlans(cell, outcomes, task.hint) : undefined;
  const bestPlan = search?.best?.plan;
  if (task.withSeries && bestPlan !== undefined) runs.push(simulatePlan(cell, ORACLE, bestPlan));
  const bestGpuHours = search?.best?.gpuHours;
  const { workload, targetFactor, coldStartSeconds, seed, target } = spec;
  return {
    result: {
      workload,
      targetFactor,
      coldStartSeconds,
      seed,
      targetRps: target.rps,
      targetLatencyMs: target.latencyMs,
      outcomes: outcomes.map((outcome) => ({ ...outcome, plan: [] })),
      searchedGpuHours: bestGpuHours,
      constantGpuHours: search?.bestConstant?.gpuHours,
    },
    hint: search?.hint,
    best: task.withGrids && bestGpuHours !== undefined ? bestOfGrids() : undefined,
    series: task.withSeries ? seriesOf(cell, runs) : undefined,
  };

  function bestOfGrids(): RivalSettings {
    return Object.fromEntries(
      RIVALS.map((rival) => {
        const scored = rival.grid(situation).map((settings) => {
          const { outcome } = simulatePolicy(cell, rival.create(rival.name, settings, situation));
          return { settings, j: scoreOf(outcome, bestGpuHours ?? NaN) };
        });
        return [rival.name, scored.reduce((best, point) => (point.j < best.j ? point : best)).settings];
      }),
    );
  }
}
