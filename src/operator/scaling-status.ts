/** Pure: what a pass makes of the decision that stands, with the last changes of the count, as the status shows them. */
import type {
  InferenceDeploymentStatusScaling,
  InferenceDeploymentStatusScalingRecentItem,
} from '../api/generated/inference-deployment.ts';
import type { Deployment } from '../api/kubernetes.ts';
import type { Standing } from '../autoscaler/standing.ts';
import { formatTime } from '../kube/conditions.ts';
import type { Plan } from './plan.ts';

/** Changes that are shown. */
const RECENT = 5;

type ShownDecision = Pick<
  InferenceDeploymentStatusScaling,
  'desiredReplicas' | 'reason' | 'message' | 'lastScaleTime' | 'recent'
>;

/**
 * Returns what of `decision` a pass acts on; undefined where it leaves the count alone. Whoever suspends a deployment
 * whose spec cannot be acted on means it; more replicas of a former spec nobody asked for.
 */
export function actedOn(
  decision: Standing,
  planned: Pick<Plan, 'children' | 'mayScaleDown'>,
  live: Deployment | undefined,
): Standing | undefined {
  if (planned.children?.deployment) return decision;
  if (!planned.mayScaleDown || live === undefined) return undefined;
  const { replicas = 0 } = live.spec;
  const message = 'Holds the replicas that there are until the spec can be acted on; see the condition Ready.';
  return decision.replicas <= replicas ? decision : { ...decision, replicas, message };
}

/** Returns what to show where a pass changed no count: what the status shows already. */
export function shownBefore(before: InferenceDeploymentStatusScaling): ShownDecision {
  const { desiredReplicas, reason, message, lastScaleTime, recent } = before;
  return {
    ...(desiredReplicas !== undefined && { desiredReplicas }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    ...(lastScaleTime !== undefined && { lastScaleTime }),
    ...(recent !== undefined && { recent }),
  };
}

/** Returns what to show of `decision` where the status shows `before`; a count that differs is a change of `now`. */
export function shownDecision(
  { message, reason, replicas }: Standing,
  before: InferenceDeploymentStatusScaling | undefined,
  now: Date,
): ShownDecision {
  const { desiredReplicas, lastScaleTime, recent = [] } = before ?? {};
  const shown = { desiredReplicas: replicas, reason, message };
  // What others write is not our change, nor is the first decision on a deployment.
  if (desiredReplicas === undefined || desiredReplicas === replicas || reason === 'ReplicasContested') {
    return { ...shown, ...(lastScaleTime !== undefined && { lastScaleTime }), ...(recent.length > 0 && { recent }) };
  }
  const time = formatTime(now);
  const change: InferenceDeploymentStatusScalingRecentItem = {
    time,
    from: desiredReplicas,
    to: replicas,
    reason,
    message,
  };
  return { ...shown, lastScaleTime: time, recent: [change, ...recent].slice(0, RECENT) };
}
