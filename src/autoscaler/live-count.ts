/** Pure: the count that a Deployment has, and whether the scaler has decided on it. */
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { SCALER_MANAGER } from '../api/labels.ts';
import { ownersOf } from '../kube/managed-fields.ts';
import { markedAtMs } from './marks.ts';

export interface LiveCount {
  /** `spec.replicas`; 0 where there is no Deployment. */
  replicas: number;
  /** The scaler wrote it, and no replica is marked to go: it is not the count of a scale-down that still drains. */
  isDecided: boolean;
}

/** Returns the count of a resource's own `deployment`, whose pods are `pods`. */
export function liveCount(deployment: Deployment | undefined, pods: readonly Pod[]): LiveCount {
  if (deployment === undefined) return { replicas: 0, isDecided: false };
  const drains = pods.some((pod) => pod.metadata.deletionTimestamp === undefined && markedAtMs(pod) !== undefined);
  const isOurs = ownersOf(deployment, ['spec', 'replicas']).includes(SCALER_MANAGER);
  return { replicas: deployment.spec.replicas ?? 0, isDecided: isOurs && !drains };
}
