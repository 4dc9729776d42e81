/** How to read the checkpoint of the time that replicas have run. */
import type { InferenceDeploymentStatusUsage } from './generated/inference-deployment.ts';

/** Sums over all replicas, in seconds. */
export interface Totals {
  replicaSeconds: number;
  gpuSeconds: number;
}

/** Returns the sums at `now` (Unix seconds) if nothing has begun or ended since the checkpoint. */
export function totalsAt(
  { asOf, gpuSeconds = 0, replicaSeconds = 0, running = [] }: InferenceDeploymentStatusUsage,
  now: number,
): Totals {
  const seconds = asOf === undefined ? 0 : Math.max(0, now - Math.floor(Date.parse(asOf) / 1_000));
  const gpus = running.reduce((sum, replica) => sum + replica.gpus, 0);
  return { replicaSeconds: replicaSeconds + running.length * seconds, gpuSeconds: gpuSeconds + gpus * seconds };
}
