/** Pure: what the replicas of a deployment cost. */
import type { HardwareProfile, HardwareProfileSpec } from '../api/generated/hardware-profile.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { Pod } from '../api/kubernetes.ts';
import { gpusOf, isPlaced } from './usage/lifetimes.ts';

type Price = NonNullable<HardwareProfileSpec['price']>;

/**
 * Returns what `placed` replicas cost per hour in the currency of `price`, as a decimal string with two digits. Each counts
 * with the accelerators that it has, which a profile that was edited since may tell otherwise; one without any counts as
 * one accelerator.
 */
export function costPerHour({ perGpuHour }: Price, placed: readonly Pod[]): string {
  const gpus = placed.reduce((sum, pod) => sum + (gpusOf(pod) || 1), 0);
  return (Number(perGpuHour) * gpus).toFixed(2);
}

/** Returns what the status tells of the cost of `pods`; undefined where the profile has no price. */
export function shownCost(
  profile: HardwareProfile | undefined,
  pods: readonly Pod[],
  perMillion?: string,
): InferenceDeploymentStatus['cost'] {
  const price = profile?.spec.price;
  if (price === undefined) return undefined;
  const perHour = costPerHour(price, pods.filter(isPlaced));
  const { currency, perGpuHour } = price;
  return { currency, perHour, perGpuHour, ...(perMillion !== undefined && { perMillionTokens: perMillion }) };
}

/** Returns what a million tokens cost where so many are made per second. */
export function perMillionTokens(perHour: number, tokensPerSecond: number): number {
  return (perHour / 3_600 / tokensPerSecond) * 1e6;
}
