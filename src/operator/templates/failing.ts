/** Pure: whether a pod template has failed, so that with a newer one nothing that runs would be lost. */
import type { ReplicaReason } from '../../api/conditions.ts';
import { isObserved, type Deployment, type Pod } from '../../api/kubernetes.ts';
import type { ReplicaContext, ReplicaState } from '../diagnose/context.ts';
import { podsRefused } from '../diagnose/deployment.ts';
import { isOver, revisionOf } from '../diagnose/endings.ts';
import { CRASH_LOOP_RESTARTS, diagnoseReplica } from '../diagnose/replica.ts';

/** A replica may run all the same, or be back with its node. */
const MAY_RUN: readonly ReplicaReason[] = ['NotResponding', 'NodeLost'];
/** Kubernetes has not placed it, and no wait for others makes it. */
const NOWHERE: readonly ReplicaReason[] = ['NoMatchingNode', 'Unschedulable'];

/**
 * Returns whether nothing of `deployment` serves or is on its way to: each replica fails again and again, or has no place,
 * or Kubernetes refuses to make them.
 */
export function hasFailed(deployment: Deployment | undefined, pods: readonly Pod[], context: ReplicaContext): boolean {
  if (deployment === undefined || !isObserved(deployment)) return false;
  const live = pods.filter((pod) => !isOver(pod));
  if (!live.every((pod) => isLost(pod, diagnoseReplica(pod, context)))) return false;
  // What is left of another template tells nothing of this one, and may hold the room that it waits for.
  const isAlone = live.every((pod) => revisionOf(pod) === revisionOf(live[0]));
  if ((deployment.status?.updatedReplicas ?? 0) > 0) return live.length > 0 && isAlone;
  return live.length === 0 && podsRefused(deployment, context) !== undefined;
}

function isLost(pod: Pod, { phase, problem }: ReplicaState): boolean {
  const reason = problem?.reason ?? 'Scheduling';
  return NOWHERE.includes(reason) || (phase === 'failed' && !MAY_RUN.includes(reason) && failsAgain(pod));
}

function failsAgain({ status }: Pod): boolean {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const current = containers.find(({ state }) => state?.terminated?.exitCode !== 0);
  if (current === undefined) return false;
  const neverRan = current.state?.waiting !== undefined && current.lastState?.terminated === undefined;
  // One that ended once may serve again.
  return neverRan || current.restartCount >= CRASH_LOOP_RESTARTS;
}
