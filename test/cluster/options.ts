/** What the commands take from the environment and print for `eval`. */
import { dirname } from 'node:path';
import { DEFAULT_CLUSTER_NAME } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { UserError } from './user-error.ts';

/** The value of a variable of the environment that is a whole number from 0 on. */
function numberFrom(environment: NodeJS.ProcessEnv, variable: string, byDefault: number): number {
  const text = environment[variable] ?? '';
  if (text === '') return byDefault;
  if (!/^\d{1,4}$/.test(text))
    throw new UserError(`${variable}=${text} is not a number: write for example ${variable}=${byDefault}.`);
  return Number(text);
}

/** Returns NAME, NODES and GPUS, or their defaults. Throws a UserError where one is no number. */
export function clusterOptions(environment: NodeJS.ProcessEnv): { name: string; nodes: number; gpus: number } {
  return {
    name: environment['NAME'] || DEFAULT_CLUSTER_NAME,
    nodes: numberFrom(environment, 'NODES', 1),
    gpus: numberFrom(environment, 'GPUS', 8),
  };
}

/** Prints exports of KUBECONFIG and of a PATH on which kubectl is, for machines that have none. */
export function printExports(cluster: Cluster): void {
  console.log(`export KUBECONFIG='${cluster.kubeconfig}'`);
  console.log(`export PATH="$PATH:${dirname(cluster.kubectl)}"`);
}
