/** `infer status`: a line for each deployment, or all that is known of one. */
import { inferenceDeployments } from '../../api/resources.ts';
import type {
  InferenceDeployment,
  InferenceDeploymentStatusConditionsItem as Condition,
} from '../../api/generated/inference-deployment.ts';
import { ApiError } from '../../kube/errors.ts';
import { eventsOf } from '../cluster/events.ts';
import { findDeployment, listAll } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { conditionColumns, replicaColumns, scalingColumns } from '../output/detail-columns.ts';
import { facts } from '../output/detail.ts';
import { deploymentColumns, reasonOf, toneOf } from '../output/deployments.ts';
import { age } from '../output/durations.ts';
import { eventColumns } from '../output/events.ts';
import { printObject, printObjects, printTable } from '../output/objects.ts';
import { toned } from '../output/table.ts';
import { labelled } from '../output/wrap.ts';

const SHOWN_EVENTS = 8;

/** Prints the deployments of the namespace, or of all. */
export async function statusOfAll(context: Context, options: { all?: boolean }): Promise<void> {
  const client = await context.kube();
  const namespace = options.all === true ? undefined : await context.namespace();
  const deployments = await listAll(client, inferenceDeployments, { namespace, signal: context.signal });
  if (await printObjects(context, inferenceDeployments, deployments)) return;
  if (deployments.length === 0) {
    const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`;
    return context.note(`There is no deployment ${where}. "infer models" shows what to deploy.`);
  }
  printTable(context, deploymentColumns(context.now(), { namespace: namespace === undefined }), deployments);
}

/** Prints one deployment in detail. */
export async function statusOf(context: Context, id: string): Promise<void> {
  const deployment = await findDeployment(context, id);
  if (await printObject(context, inferenceDeployments, deployment)) return;
  const { namespace = '' } = deployment.metadata;
  const events = await unlessForbidden(eventsOf(context, { namespace, name: id }));
  const now = context.now();
  printFacts(context, deployment);
  const { conditions = [], replicas, scaling } = deployment.status ?? {};
  section(context, 'Replicas', replicaColumns(now), replicas?.pods ?? []);
  section(context, 'Conditions', conditionColumns(now), conditions);
  // Several conditions often have one cause; Ready, the summary, comes first.
  for (const message of new Set(conditions.filter(saysWhy).map((one) => one.message)))
    printLabelled(context, 'Why:', message, 4);
  section(context, 'Last changes of the number of replicas', scalingColumns(now), scaling?.recent ?? []);
  section(context, 'Events', eventColumns(now), (events ?? []).slice(-SHOWN_EVENTS));
}

function printFacts(context: Context, deployment: InferenceDeployment): void {
  const now = context.now();
  const { name, creationTimestamp } = deployment.metadata;
  const reason = reasonOf(deployment);
  const shown = context.isColoured ? toned(reason, toneOf(deployment)) : reason;
  context.print(`${name}: ${shown}, ${age(creationTimestamp, now)} old`);
  for (const [label, text] of facts(deployment, now)) printLabelled(context, label, text, 10);
}

function printLabelled(context: Context, label: string, text: string, labelWidth: number): void {
  for (const line of labelled(label, text, labelWidth, Math.min(context.columns, 120))) context.print(line);
}

/** What holds as it should needs no sentence; for ScalingLimited that is False. */
function saysWhy({ type, status, message }: Condition): boolean {
  return message !== '' && (status === 'True') === (type === 'ScalingLimited');
}

function section<Row>(
  context: Context,
  title: string,
  columns: Parameters<typeof printTable<Row>>[1],
  rows: readonly Row[],
): void {
  if (rows.length === 0) return;
  context.print(`\n${title}:`);
  printTable(context, columns, rows);
}

async function unlessForbidden<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}
