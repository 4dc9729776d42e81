/** The cells of the bench, and what each of them is made of. */
import { highestRps, unloadedP95Ms } from './calibrate.ts';
import type { Situation } from './contestants.ts';
import type { EngineModel } from './engine-model.ts';
import type { CellName } from './score.ts';
import type { Cell } from './simulation.ts';
import type { SimulatedRequest, Workload } from './types.ts';
import { replay } from './workloads/replay.ts';
import { wave, waveNames, type WaveName } from './workloads/waves.ts';

/** Waves are so high that they keep this many replicas busy on average: about 1 to 12 over time. */
const MEAN_REPLICAS = 3;
/** Where the workload of a cell begins, in what its first replicas are chosen by. */
const BEGINNING_MS = 300_000;
const MINUTE_MS = 60_000;
/** More than anybody should want, so that the bound saves no contestant from its mistakes. */
const MAX_REPLICAS_OVER_PEAK = 2;
const CALIBRATION_SEED = 1;

export type WorkloadSource = { copies: number } | { wave: WaveName };

/** A latency target, and what one replica can do within it. */
export interface Target {
  factor: number;
  latencyMs: number;
  /** Rounded as a person would write it. */
  rps: number;
}

export interface CellSpec extends CellName {
  source: WorkloadSource;
  target: Target;
}

export interface Matrix {
  /** Copies of the trace that run beside each other. */
  scales: readonly number[];
  waves: readonly WaveName[];
  targetFactors: readonly number[];
  coldStartSeconds: readonly number[];
  seeds: number;
}

/** Returns the targets of the factors, of those that a replica can meet at all. */
export function calibrate(
  engine: EngineModel,
  trace: readonly SimulatedRequest[],
  factors: readonly number[],
): Target[] {
  const unloadedMs = unloadedP95Ms(engine, trace);
  return factors
    .map((factor) => {
      const latencyMs = Math.round(factor * unloadedMs);
      const rps = Number(highestRps(engine, trace, latencyMs, CALIBRATION_SEED).toPrecision(2));
      return { factor, latencyMs, rps };
    })
    .filter(({ rps }) => rps > 0);
}

/** Returns all cells, those of one seed after another. */
export function cellsOf({ scales, waves, coldStartSeconds, seeds }: Matrix, targets: readonly Target[]): CellSpec[] {
  const sources: [string, WorkloadSource][] = [
    ...scales.map((copies): [string, WorkloadSource] => [`trace x${copies}`, { copies }]),
    ...waves.map((name): [string, WorkloadSource] => [name, { wave: name }]),
  ];
  return Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed) =>
    sources.flatMap(([workload, source]) =>
      targets.flatMap((target) =>
        coldStartSeconds.map((seconds) => ({
          workload,
          source,
          target,
          targetFactor: target.factor,
          coldStartSeconds: seconds,
          seed,
        })),
      ),
    ),
  );
}

/** Returns the names in a list, or all waves; `none` is none. Throws where one is unknown. */
export function parseWaves(list: string | undefined): WaveName[] {
  const all = waveNames();
  if (list === undefined || list === '') return all;
  if (list === 'none') return [];
  return list.split(',').map((name) => {
    const found = all.find((candidate) => candidate === name.trim());
    if (found === undefined) throw new Error(`WAVES names '${name}'; there are ${all.join(', ')}, or none.`);
    return found;
  });
}

/** Returns what a spec stands for: the cell to simulate, and what a person would know of it. */
export function realise(
  spec: CellSpec,
  trace: readonly SimulatedRequest[],
  engine: EngineModel,
): { cell: Cell; situation: Situation } {
  const { target, source, seed } = spec;
  const workload =
    'wave' in source
      ? wave(source.wave, { sizes: trace, meanRps: MEAN_REPLICAS * target.rps, seed })
      : replay(spec.workload, trace, { copies: source.copies, seed });
  const peakRps = peakRpsOf(workload);
  const maxReplicas = Math.max(4, Math.ceil((MAX_REPLICAS_OVER_PEAK * peakRps) / target.rps));
  const early = workload.requests.filter(({ arrivalMs }) => arrivalMs < BEGINNING_MS).length;
  const initial = Math.ceil(early / (BEGINNING_MS / 1_000) / target.rps);
  const targets = {
    targetRps: target.rps,
    targetLatencyMs: target.latencyMs,
    minReplicas: workload.minReplicas,
    maxReplicas,
    initialReplicas: Math.min(maxReplicas, Math.max(1, initial)),
  };
  const cell = { workload, targets, engine, coldStartMs: spec.coldStartSeconds * 1_000 };
  return { cell, situation: { targets, peakRps } };
}

function peakRpsOf({ requests, warmUpMs, endMs }: Workload): number {
  const perMinute = new Float64Array(Math.ceil((endMs - warmUpMs) / MINUTE_MS));
  for (const { arrivalMs } of requests) {
    const minute = Math.floor((arrivalMs - warmUpMs) / MINUTE_MS);
    if (minute >= 0 && minute < perMinute.length) perMinute[minute] = (perMinute[minute] as number) + 1;
  }
  return perMinute.reduce((most, count) => Math.max(most, count), 0) / 60;
}
