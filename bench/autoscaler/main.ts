/**
 * `make bench-autoscaler TRACE=FILE`: Infer's scaler and others on the same simulated replicas and arrivals. Set by the
 * caller: SCALE, COLD, TARGETS (comma-separated), SEEDS, WAVES, JOBS. Ends with a line of JSON.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { startProgress } from '../command-line.ts';
import { calibrate, cellsOf, parseWaves, type CellSpec } from './cells.ts';
import { measuredEngine } from './engine-model.ts';
import type { CellTask } from './evaluate.ts';
import { goalLines } from './goals.ts';
import { jsonOf } from './json.ts';
import { plot } from './plot.ts';
import { plotted } from './plotted.ts';
import { Pool } from './pool.ts';
import { policyTable, reportOf } from './report.ts';
import { aggregate, scoreCell } from './score.ts';
import { tournament } from './tournament.ts';
import { readTrace } from './workloads/trace.ts';

const OUT = join(import.meta.dirname, '../out/autoscaler');
const GPUS = 2;
const DEFAULT_TRACE = join(import.meta.dirname, 'data/azure-2023/AzureLLMInferenceTrace_conv.csv.gz');

/** Returns the numbers of a comma-separated list. Throws where one is none, or not above 0. */
function numbers(name: string, fallback: readonly number[]): number[] {
  const text = process.env[name] ?? '';
  if (text === '') return [...fallback];
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!(value > 0)) throw new Error(`${name} is '${text}'; give numbers above 0, with commas between them.`);
    return value;
  });
}

function wholeNumbers(name: string, fallback: readonly number[]): number[] {
  const values = numbers(name, fallback);
  if (!values.every(Number.isInteger)) throw new Error(`${name} is '${process.env[name]}'; give whole numbers.`);
  return values;
}

function wholeNumber(name: string, fallback: number): number {
  const [value = fallback] = wholeNumbers(name, [fallback]);
  return value;
}

const tracePath = (process.env['TRACE'] ?? '') === '' ? DEFAULT_TRACE : (process.env['TRACE'] ?? '');
const matrix = {
  scales: wholeNumbers('SCALE', [1]),
  waves: parseWaves(process.env['WAVES']),
  targetFactors: numbers('TARGETS', [1.25, 2, 4]),
  coldStartSeconds: numbers('COLD', [30, 120, 300]),
  seeds: wholeNumber('SEEDS', 5),
};
const jobs = wholeNumber('JOBS', availableParallelism());

const started = performance.now();
const progress = startProgress();

const targets = calibrate(measuredEngine(GPUS), readTrace(tracePath), matrix.targetFactors);
for (const { factor, latencyMs, rps } of targets) {
  progress(`target ${factor} x the unloaded p95: ${(latencyMs / 1000).toFixed(1)} s, ${rps} requests/s in a replica`);
}
if (targets.length === 0) throw new Error('No replica meets any of these targets, even without load; raise TARGETS.');
const specs = cellsOf(matrix, targets);
const middle = <Value>(values: readonly Value[]): Value | undefined => values[Math.floor(values.length / 2)];
const isPlotted = (spec: CellSpec): boolean =>
  spec.target === middle(targets) && spec.coldStartSeconds === middle(matrix.coldStartSeconds);

let done = 0;
/** The cells of the first seed are visited twice. */
const visits = specs.length + specs.length / matrix.seeds;
let toldMs = started;

const pool = new Pool(Math.min(jobs, specs.length), { tracePath, gpus: GPUS });
try {
  progress(`${specs.length} cells in ${jobs} processes`);
  const { cells: results, series } = await tournament(
    specs,
    isPlotted,
    async (tasks: readonly CellTask[]) =>
      await pool.run(tasks, ({ result }) => {
        done++;
        const now = performance.now();
        if (now - toldMs < 10_000) return;
        toldMs = now;
        progress(`${done} of ${visits} visits; last ${result.workload}, seed ${result.seed}`);
      }),
  );
  const cells = results.map(scoreCell);
  const aggregates = aggregate(cells);
  await mkdir(OUT, { recursive: true });
  const plots = series.map(({ cell, series: own }) => plotted(cell, own));
  for (const { file, title, panels } of plots) await writeFile(join(OUT, file), plot(title, 'min', panels));
  const heading = `Autoscalers on ${basename(tracePath)}`;
  await writeFile(join(OUT, 'report.md'), reportOf(heading, cells, aggregates, plots));
  console.log(`\n${policyTable(aggregates)}\n\n${goalLines(aggregates)}\n`);
  console.log(`The report with plots is bench/out/autoscaler/report.md.`);
  const seconds = Math.round((performance.now() - started) / 1000);
  const json = jsonOf({ trace: basename(tracePath), seconds, targets }, cells, aggregates);
  await writeFile(join(OUT, 'results.json'), `${json}\n`);
  console.log(json);
} finally {
  pool.close();
}
