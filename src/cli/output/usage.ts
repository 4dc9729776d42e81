/** Pure: what a deployment has used until now, by the checkpoint in its status. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';

export interface UsedTime {
  replicaSeconds: number;
  gpuSeconds: number;
}

/**
 * Returns the seconds of replicas and of GPUs until `now`; undefined where none are told. Replicas that run since the
 * checkpoint count with the GPUs of `profile`.
 */
export function usedTime(
  { usage }: Pick<InferenceDeploymentStatus, 'usage'>,
  profile: Pick<HardwareProfileSpec, 'accelerator'> | undefined,
  now: Date,
): UsedTime | undefined {
  if (usage?.replicaSeconds === undefined) return undefined;
  const { replicaSeconds, gpuSeconds = 0, asOf, replicasSince = 0 } = usage;
  const since = asOf === undefined ? 0 : Math.max(0, (now.getTime() - Date.parse(asOf)) / 1000) * replicasSince;
  return { replicaSeconds: replicaSeconds + since, gpuSeconds: gpuSeconds + since * gpusOf(profile) };
}

/** Returns the price of the GPUs until now at the profile's present price, as `12.30 USD`; undefined without a price. */
export function costSoFar(used: UsedTime, profile: HardwareProfileSpec | undefined): string | undefined {
  if (profile?.price === undefined) return undefined;
  // Without an accelerator a replica is priced as one GPU.
  const hours = (profile.accelerator === undefined ? used.replicaSeconds : used.gpuSeconds) / 3600;
  return `${(hours * Number(profile.price.perGpuHour)).toFixed(2)} ${profile.price.currency}`;
}

function gpusOf(profile: Pick<HardwareProfileSpec, 'accelerator'> | undefined): number {
  return profile?.accelerator === undefined ? 0 : (profile.accelerator.count ?? 1);
}
