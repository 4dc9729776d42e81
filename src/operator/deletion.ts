/**
 * Pure: the status of a deployment that is being deleted. Kubernetes removes its children, which may take as long as they
 * drain, or as somebody's finalizer holds it up: until then it must not look as if it were to go on.
 */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { ConditionType } from '../api/conditions.ts';
import type { Pod } from '../api/kubernetes.ts';
import { setCondition, type Condition } from '../kube/conditions.ts';
import { conditionOf } from './diagnose/context.ts';

/** Returns the status of `resource`, which has a deletionTimestamp, with `pods` left and their time as in `usage`, at `now`. */
export function deletingStatus(
  resource: InferenceDeployment,
  pods: readonly Pod[],
  usage: InferenceDeploymentStatus['usage'],
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
    ...(status?.replicas && { replicas: { ...status.replicas, ready, ...shownLeft(status.replicas, pods) } }),
    ...(usage && { usage }),
  };
}

/** Of the replicas that were shown, those that are left. */
function shownLeft(
  { pods: shown }: NonNullable<InferenceDeploymentStatus['replicas']>,
  pods: readonly Pod[],
): Pick<NonNullable<InferenceDeploymentStatus['replicas']>, 'pods'> {
  if (shown === undefined) return {};
  const left = shown.flatMap((replica) => {
    const pod = pods.find(({ metadata }) => metadata.uid === replica.uid);
    if (pod === undefined) return [];
    return replica.readiness === 'Ready' && !serves(pod)
      ? { ...replica, readiness: 'Draining', reason: 'Draining' }
      : replica;
  });
  return { pods: left };
}

const DELETING = {
  status: 'False',
  reason: 'Deleting',
  message: 'It is being deleted: Kubernetes removes its replicas and all else that belongs to it.',
} as const;

function serves(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True';
}
