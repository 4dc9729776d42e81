/**
 * Pure: the status of a deployment that is being deleted. Kubernetes removes its children, which may take as long as they
 * drain, or as somebody's finalizer holds it up: until then it must not look as if it were to go on.
 */
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { ConditionType } from '../api/conditions.ts';
import { isReady, type Pod } from '../api/kubernetes.ts';
import { setCondition, type Condition } from '../kube/conditions.ts';
import { shownCost } from './cost.ts';
import { isOver } from './diagnose/endings.ts';
import { replicaContext } from './diagnose/replica-context.ts';
import { replicaState, shownReplicas } from './replica-list.ts';

interface Left {
  resource: InferenceDeployment;
  profile: HardwareProfile | undefined;
  pods: readonly Pod[];
  /** The time of its replicas. */
  usage: InferenceDeploymentStatus['usage'];
}

/** Returns the status of `resource`, which has a deletionTimestamp, with what is left of it, at `now`. */
export function deletingStatus({ resource, profile, pods, usage }: Left, now: Date): InferenceDeploymentStatus {
  // A price of tokens is that of a load, of which nothing more is known.
  const { cost: _, ...status } = resource.status ?? {};
  const context = replicaContext({ resource, profile });
  const replicas = pods.filter((pod) => !isOver(pod)).map((pod) => ({ pod, state: replicaState(pod, context) }));
  const observedGeneration = resource.metadata.generation ?? 0;
  const untrue: ConditionType[] = pods.some(serves) ? ['Ready'] : ['Ready', 'Available', 'ReplicasReady'];
  const conditions = untrue.reduce<Condition[]>(
    (all, type) => setCondition(all, { type, observedGeneration, ...DELETING }, now),
    status.conditions ?? [],
  );
  const { desired } = status.replicas ?? {};
  const cost = shownCost(profile, pods);
  return {
    ...status,
    conditions,
    observedGeneration,
    ...(desired !== undefined && { replicas: { desired, ...shownReplicas(replicas) } }),
    ...(cost && { cost }),
    ...(usage && { usage }),
  };
}

const DELETING = {
  status: 'False',
  reason: 'Deleting',
  message: 'It is being deleted: Kubernetes removes its replicas and all else that belongs to it.',
} as const;

function serves(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && isReady(pod);
}
