/** Pure: whether a pod template has failed, so that with a newer one nothing that runs would be lost. */
import type { ReplicaReason } from '../../api/conditions.ts';
import { isObserved, type Deployment, type Pod } from '../../api/kubernetes.ts';
import type { ReplicaContext, ReplicaState } from '../diagnose/context.ts';
import { podsRefused } from '../diagnose/deployment.ts';
import { isOver, ofNewestRevision, outgrown } from '../diagnose/endings.ts';
import { diagnoseReplica } from '../diagnose/replica.ts';

/** A replica may run all the same, or be back with its node. */
const MAY_RUN: readonly ReplicaReason[] = ['NotResponding', 'NodeLost'];
/** Kubernetes has not placed it, and no wait for others makes it. */
const NOWHERE: readonly ReplicaReason[] = ['NoMatchingNode', 'Unschedulable'];

/**
 * Returns whether none of the replicas that `deployment` has of its newest revision serves or is on its way to: each fails,
 * or Kubernetes refuses to make them.
 */
export function hasFailed(deployment: Deployment | undefined, pods: readonly Pod[], context: ReplicaContext): boolean {
  if (deployment === undefined || !isObserved(deployment)) return false;
  const newest = ofNewestRevision(pods.filter((pod) => !isOver(pod)));
  const ended = podsRefused(deployment, context) ?? outgrown(pods, context);
  if (newest.length === 0) return ended !== undefined;
  return newest
    .map((pod) => diagnoseReplica(pod, context))
    .every((state) => isLost(state) || (ended && !serves(state)));
}

function isLost({ phase, problem }: ReplicaState): boolean {
  const reason = problem?.reason ?? 'Scheduling';
  return NOWHERE.includes(reason) || (phase === 'failed' && !MAY_RUN.includes(reason));
}

function serves({ phase }: ReplicaState): boolean {
  return phase === 'ready' || phase === 'draining';
}
