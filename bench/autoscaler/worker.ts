/** A process that evaluates cells, one after another; it ends with its parent. */
import { measuredEngine } from './engine-model.ts';
import { evaluate, type CellTask } from './evaluate.ts';
import type { WorkerData } from './pool.ts';
import { readTrace } from './workloads/trace.ts';

const { tracePath, gpus } = JSON.parse(process.argv[2] ?? '{}') as WorkerData;
const trace = readTrace(tracePath);
const engine = measuredEngine(gpus);

process.on('message', (task: CellTask) => {
  process.send?.(evaluate(task, trace, engine));
});
