/** Kubernetes conditions (https://github.com/kubernetes/community, API conventions, "Typical status properties"). */

export type ConditionStatus = 'True' | 'False' | 'Unknown';

export interface Condition {
  type: string;
  status: ConditionStatus;
  reason: string;
  message: string;
  /** metadata.generation of the spec that this was computed from. */
  observedGeneration?: number;
  /** RFC 3339, seconds. */
  lastTransitionTime: string;
}

/** Returns `now` as metav1.Time writes it, without fractions of a second. */
export function formatTime(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}

/**
 * Returns `existing` with the condition set; others and the order stay.
 * `lastTransitionTime` moves only when `status` changes, so that an unchanged condition is byte for byte the same.
 */
export function setCondition(
  existing: readonly Condition[] | undefined,
  condition: Omit<Condition, 'lastTransitionTime'>,
  now: Date,
): Condition[] {
  const previous = findCondition(existing, condition.type);
  const since = previous?.status === condition.status ? previous.lastTransitionTime : formatTime(now);
  const next = { ...condition, lastTransitionTime: since };
  if (previous === undefined) return [...(existing ?? []), next];
  return (existing ?? []).map((entry) => (entry.type === condition.type ? next : entry));
}

/** Returns the condition of this type, or undefined. */
export function findCondition(existing: readonly Condition[] | undefined, type: string): Condition | undefined {
  return existing?.find((condition) => condition.type === type);
}
