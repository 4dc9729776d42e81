/** Pure: what the replicas of a deployment cost by the hour. */
import type { HardwareProfileSpec } from '../api/generated/hardware-profile.ts';

/**
 * Returns currency and cost per hour of `replicas` placed replicas, as a decimal string with two digits; undefined
 * where the profile names no price.
 */
export function costPerHour(
  profile: HardwareProfileSpec | undefined,
  replicas: number,
): { currency: string; perHour: string } | undefined {
  const price = profile?.price;
  if (!price) return undefined;
  const gpus = profile?.accelerator?.count ?? 1;
  return { currency: price.currency, perHour: (Number(price.perGpuHour) * gpus * replicas).toFixed(2) };
}
