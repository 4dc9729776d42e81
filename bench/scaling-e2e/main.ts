/**
 * `make bench-scaling-e2e`: minutes of a trace at simulated engines in pods, through the gateways, with the operator
 * scaling, beside what the simulation of `make bench-autoscaler` predicts of the same minutes. Set by the caller: TRACE,
 * SCALE (copies of the trace), DURATION (seconds that are scored). Ends with a line of JSON. Needs what `make cluster`
 * needs.
 */
import { basename, join } from 'node:path';
import { calibrate } from '../autoscaler/cells.ts';
import type { CellTargets, Workload } from '../autoscaler/types.ts';
import { readTrace } from '../autoscaler/workloads/trace.ts';
import { startProgress, wholeNumber } from '../command-line.ts';
import { withBed } from './bed.ts';
import { ENGINE_MODEL } from './engine.ts';
import { FIGURES, ratiosOf } from './figures.ts';
import { measure } from './measure.ts';
import { minutesOf } from './workload.ts';

const DEFAULT_TRACE = join(import.meta.dirname, '../autoscaler/data/azure-2023/AzureLLMInferenceTrace_conv.csv.gz');
const WARM_UP_MS = 120_000;
/** Times the latency that 95 of 100 requests stay within when each is alone. */
const TARGET_FACTOR = 2;
/** What fits a machine of two processors. */
const MAX_REPLICAS = 6;
/** The first replicas are as many as the rate of the first minute asks for. */
const BEGINNING_MS = 60_000;

const progress = startProgress();

/** Returns what a user would set for these requests. Throws where a replica meets no target. */
function targetsOf({ requests }: Workload): CellTargets {
  const [target] = calibrate(ENGINE_MODEL, requests, [TARGET_FACTOR]);
  if (target === undefined) throw new Error('No replica meets the latency target, even without load.');
  const early = requests.filter(({ arrivalMs }) => arrivalMs < BEGINNING_MS).length;
  const initial = Math.ceil(early / (BEGINNING_MS / 1_000) / target.rps);
  return {
    targetRps: target.rps,
    targetLatencyMs: target.latencyMs,
    minReplicas: 1,
    maxReplicas: MAX_REPLICAS,
    initialReplicas: Math.min(MAX_REPLICAS, initial),
  };
}

const tracePath = process.env['TRACE'] || DEFAULT_TRACE;
const workload = minutesOf(basename(tracePath), readTrace(tracePath), {
  warmUpMs: WARM_UP_MS,
  durationMs: 1_000 * wholeNumber('DURATION', 600),
  copies: wholeNumber('SCALE', 1),
});
const targets = targetsOf(workload);
progress(`target ${targets.targetLatencyMs} ms, ${targets.targetRps} requests/s in a replica`);
const result = await withBed(targets, progress, async (bed) => await measure(bed, workload, targets, progress));
const { measured, predicted, replayed } = result;
const ratio = ratiosOf(measured, predicted.mean);
const replayedRatio = ratiosOf(measured, replayed);
console.log(`\n${'figure'.padEnd(16)}${row(['measured', 'predicted', 'least', 'most', 'ratio', 'replayed', 'ratio'])}`);
for (const figure of FIGURES) {
  const { mean, least, most } = predicted;
  const predictions = [mean[figure], least[figure], most[figure], ratio[figure]];
  const cells = [measured[figure], ...predictions, replayed[figure], replayedRatio[figure]];
  console.log(figure.padEnd(16) + row(cells));
}
console.log(`${measured.failed} failed, ${measured.cut} cut, ${measured.busyProcessors} processors busy\n`);
console.log(
  JSON.stringify({
    trace: workload.name,
    requests: workload.requests.length,
    targets,
    ...result,
    ratio,
    replayedRatio,
  }),
);
if (measured.failed + measured.cut > 0) process.exitCode = 1;

function row(cells: readonly (string | number | null | undefined)[]): string {
  const texts = cells.map((cell) => (typeof cell === 'number' ? Number(cell.toPrecision(4)) : (cell ?? '-')));
  return texts.map((text) => String(text).padStart(11)).join('');
}
