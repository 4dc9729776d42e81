/** `infer top`: what the operator tells of load and replicas, again and again in a terminal. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import { findDeployment, listAll } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { replicaColumns } from '../output/detail-columns.ts';
import { printObjects } from '../output/objects.ts';
import { cut, oneLine, table } from '../output/table.ts';
import { topColumns } from '../output/top.ts';

/** The operator writes traffic into the status every few seconds. */
const REFRESH_MS = 2000;
const CLEAR_SCREEN = '\u001b[H\u001b[J';

/** Prints one look at the deployments, or looks until Ctrl-C in a terminal. Throws CliFailure. */
export async function top(context: Context, id: string | undefined, options: { all?: boolean }): Promise<void> {
  const isLive = context.isTerminal && (context.output === 'table' || context.output === 'wide');
  for (;;) {
    const deployments = await read(context, id, options);
    if (await printObjects(context, inferenceDeployments, deployments)) return;
    const lines = screen(context, deployments, { id, all: options.all === true });
    if (!isLive) {
      for (const line of lines) context.print(line);
      return;
    }
    const time = context.now().toISOString().slice(11, 19);
    const all = [`${time} UTC, every 2 s; Ctrl-C ends it`, '', ...lines];
    // More would scroll what was drawn before out of reach.
    const visible = all.slice(0, (context.stdout.rows ?? Infinity) - 1);
    context.stdout.write(`${CLEAR_SCREEN}${visible.join('\n')}\n`);
    await delay(REFRESH_MS, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) return;
  }
}

async function read(
  context: Context,
  id: string | undefined,
  options: { all?: boolean },
): Promise<InferenceDeployment[]> {
  if (id !== undefined) return [await findDeployment(context, id)];
  const client = await context.kube();
  const namespace = options.all === true ? undefined : await context.namespace();
  return await listAll(client, inferenceDeployments, { namespace, signal: context.signal });
}

function screen(
  context: Context,
  deployments: readonly InferenceDeployment[],
  { id, all }: { id: string | undefined; all: boolean },
): string[] {
  const fit = { width: context.columns, colours: context.isColoured };
  const now = context.now();
  const lines = table(topColumns({ namespace: all }), deployments, fit);
  const [one] = deployments;
  if (id === undefined || one === undefined) return lines;
  const { scaling, replicas } = one.status ?? {};
  const pods = replicas?.pods ?? [];
  return [
    ...lines,
    ...(scaling?.message === undefined ? [] : ['', cut(oneLine(scaling.message), context.columns)]),
    ...(pods.length === 0 ? [] : ['', ...table(replicaColumns(now), pods, fit)]),
  ];
}
