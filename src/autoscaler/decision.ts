/** Pure: what is decided, for status, events and metrics. */
import type { Choice } from './choose.ts';
import { explain, type Explained, type ScalingReason } from './explain.ts';
import type { Observation, ScalingTargets } from './observation.ts';

/** What keeps a deployment from what it should have. */
export type ScalingLimit = 'AtMax' | 'WaitingForGPU' | 'LatencyTargetUnattainable';

export interface Decision {
  replicas: number;
  /** Shown in the SCALING column. */
  reason: ScalingReason;
  message: string;
  /** Replicas that each part of the rule would have by itself. */
  candidates: Readonly<Record<string, number>>;
  limitedBy?: ScalingLimit;
}

/** Returns the choice between the bounds of the spec, and in words. */
export function decisionOf(
  { wanted, reason, needed, keptBecause, isClose = false, batchReplicas }: Choice,
  { traffic, replicas }: Observation,
  targets: ScalingTargets,
  candidates: Record<string, number>,
  seen?: Pick<Explained, 'capacity' | 'demand' | 'p95Ms' | 'unattainable' | 'isTrusted'>,
): Decision {
  const { minReplicas, maxReplicas } = targets;
  const finite = Number.isFinite(wanted) ? wanted : replicas.current;
  const count = Math.max(minReplicas, Math.min(maxReplicas, finite));
  const isShort = needed > maxReplicas;
  const shown = reason === 'WaitingForGPU' ? reason : isShort ? 'AtMax' : count > finite ? 'MinReplicas' : reason;
  const words = {
    from: replicas.current,
    to: count,
    needed,
    reason: shown,
    isClose: isClose && count === wanted,
    targets,
    replicas,
    traffic,
    ...(batchReplicas !== undefined && { batchReplicas }),
    ...(keptBecause !== undefined && { keptBecause }),
    ...seen,
  };
  const limitedBy = limitOf(isShort, reason, seen?.unattainable ?? false);
  return { replicas: count, reason: shown, message: explain(words), candidates, ...(limitedBy && { limitedBy }) };
}

function limitOf(isShort: boolean, reason: ScalingReason, unattainable: boolean): ScalingLimit | undefined {
  // Where there is no room for what was asked for, a higher maximum would change nothing.
  if (reason === 'WaitingForGPU') return 'WaitingForGPU';
  if (isShort) return 'AtMax';
  return unattainable ? 'LatencyTargetUnattainable' : undefined;
}
