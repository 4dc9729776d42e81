/** Pure: what a deployment has used until now, by the checkpoint in its status. */
import type { InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import { totalsAt, type Totals } from '../../api/replica-time.ts';

type Status = Pick<InferenceDeploymentStatus, 'usage' | 'cost'>;

export interface UsedTime extends Totals {
  /** At the present price of a GPU, such as `12.30 USD`; absent where none is told. */
  cost?: string;
}

/** Returns the seconds of replicas and of GPUs until `now`, and what they cost; undefined where none are told. */
export function usedTime({ usage, cost }: Status, now: Date): UsedTime | undefined {
  if (usage?.replicaSeconds === undefined) return undefined;
  const totals = totalsAt(usage, now.getTime() / 1000);
  if (cost?.perGpuHour === undefined) return totals;
  // Where replicas have no accelerators each is priced as one.
  const seconds = totals.gpuSeconds > 0 ? totals.gpuSeconds : totals.replicaSeconds;
  const amount = (seconds / 3600) * Number(cost.perGpuHour);
  return { ...totals, cost: `${amount.toFixed(2)} ${cost.currency ?? ''}`.trimEnd() };
}
