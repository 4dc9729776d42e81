/** What the resources say of the time that replicas have run, where a gateway does not. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import { listAll } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { printTable } from '../output/objects.ts';
import { usedTime } from '../output/usage.ts';
import { hoursText } from './usage-output.ts';

/** Since the deployment was made. */
export interface ReplicaTime {
  readonly deployment: string;
  readonly replica_seconds: number;
  readonly gpu_seconds: number;
  /** At the present price, such as `12.30 USD`. */
  readonly cost?: string;
}

/** Returns those of the namespace that ran at all; nothing where the cluster cannot be read. */
export async function readReplicaTime(context: Context): Promise<ReplicaTime[]> {
  try {
    const [client, namespace] = [await context.kube(), await context.namespace()];
    const all = await listAll(client, inferenceDeployments, { namespace, signal: context.signal });
    return all.flatMap((one) => replicaTime(one, context.now()));
  } catch {
    context.signal.throwIfAborted();
    return [];
  }
}

/** Returns the time of one deployment, nothing where its status tells none. */
export function replicaTime({ metadata, status = {} }: InferenceDeployment, now: Date): ReplicaTime[] {
  const used = usedTime(status, now);
  if (used === undefined) return [];
  return [
    {
      deployment: metadata.name,
      replica_seconds: Math.round(used.replicaSeconds),
      gpu_seconds: Math.round(used.gpuSeconds),
      ...(used.cost !== undefined && { cost: used.cost }),
    },
  ];
}

/** Prints them as a table of their own: they are of another time than the usage above. */
export function printReplicaTime(context: Context, times: readonly ReplicaTime[]): void {
  if (times.length === 0) return;
  context.print('Replica time since each deployment was made, at the present price:');
  printTable<ReplicaTime>(
    context,
    [
      { header: 'DEPLOYMENT', value: ({ deployment }) => deployment, cutTo: 16 },
      { header: 'REPLICA-H', align: 'right', value: ({ replica_seconds }) => hoursText(replica_seconds) },
      { header: 'GPU-H', align: 'right', value: ({ gpu_seconds }) => hoursText(gpu_seconds) },
      { header: 'COST', align: 'right', value: ({ cost = '' }) => cost },
    ],
    times,
  );
}
