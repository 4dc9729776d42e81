/**
 * Pure: the status of a deployment that is being deleted. Kubernetes removes its children, which may take as long as they
 * drain, or as somebody's finalizer holds it up: until then it must not look as if it were to go on.
 */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { ConditionType } from '../api/conditions.ts';
import type { Pod } from '../api/kubernetes.ts';
import { setCondition, type Condition } from '../kube/conditions.ts';
import { conditionOf } from './diagnose/context.ts';

/** Returns the status of `resource`, which has a deletionTimestamp, with `pods` left, at `now`. */
export function deletingStatus(
  resource: InferenceDeployment,
  pods: readonly Pod[],
  now: Date,
): InferenceDeploymentStatus {
  const { status } = resource;
  const ready = pods.filter(serves).length;
  const observedGeneration = resource.metadata.generation ?? 0;
  const untrue: ConditionType[] = ready > 0 ? ['Ready'] : ['Ready', 'Available', 'ReplicasReady'];
  const conditions = untrue.reduce<Condition[]>(
    (all, type) => setCondition(all, { type, observedGeneration, ...DELETING }, now),
    status?.conditions ?? [],
  );
  return {
    ...status,
    conditions,
    observedGeneration,
    ...(status?.replicas && { replicas: { ...status.replicas, ready } }),
  };
}

const DELETING = {
  status: 'False',
  reason: 'Deleting',
  message: 'It is being deleted: Kubernetes removes its replicas and all else that belongs to it.',
} as const;

function serves(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True';
}
