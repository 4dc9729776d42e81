/** Pure: how many replicas a deployment should have. */
import type { EffectiveSpec } from '../api/defaults.ts';

export interface Decision {
  replicas: number;
  /** Shown in the SCALING column. */
  reason: 'MinReplicas' | 'Suspended';
  message: string;
}

/** Returns the decision for `spec`: minReplicas, and none while suspended. */
export function decide(spec: EffectiveSpec): Decision {
  if (spec.suspend) {
    return { replicas: 0, reason: 'Suspended', message: 'Stopped by spec.suspend; set it to false to start again.' };
  }
  return {
    replicas: spec.minReplicas,
    reason: 'MinReplicas',
    message: 'Holds spec.minReplicas; this version of Infer does not scale by load yet.',
  };
}
