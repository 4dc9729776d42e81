/** What the resources say of the time that replicas have run, where a gateway does not. */
import { effectiveSpec } from '../../api/defaults.ts';
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import { listAll } from '../cluster/find.ts';
import { readProfiles } from '../cluster/install.ts';
import type { Context } from '../context.ts';
import { printTable } from '../output/objects.ts';
import { costSoFar, usedTime } from '../output/usage.ts';
import { hoursText } from './usage-output.ts';

/** Since the deployment was made. */
export interface ReplicaTime {
  readonly deployment: string;
  readonly replica_seconds: number;
  readonly gpu_seconds: number;
  /** At the profile's present price, such as `12.30 USD`. */
  readonly cost?: string;
}

/** Returns those of the namespace that ran at all; nothing where the cluster cannot be read. */
export async function readReplicaTime(context: Context): Promise<ReplicaTime[]> {
  try {
    const [client, namespace] = [await context.kube(), await context.namespace()];
    const all = await listAll(client, inferenceDeployments, { namespace, signal: context.signal });
    const profiles = new Map((await readProfiles(context))?.map(({ metadata, spec }) => [metadata.name, spec]));
    return all.flatMap((one) => replicaTime(one, profiles.get(effectiveSpec(one.spec).hardwareProfile), context.now()));
  } catch {
    context.signal.throwIfAborted();
    return [];
  }
}

/** Returns the time of one deployment, nothing where its status tells none. */
export function replicaTime(
  { metadata, status = {} }: InferenceDeployment,
  profile: HardwareProfileSpec | undefined,
  now: Date,
): ReplicaTime[] {
  const used = usedTime(status, profile, now);
  if (used === undefined) return [];
  const cost = costSoFar(used, profile);
  return [
    {
      deployment: metadata.name,
      replica_seconds: Math.round(used.replicaSeconds),
      gpu_seconds: Math.round(used.gpuSeconds),
      ...(cost !== undefined && { cost }),
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
