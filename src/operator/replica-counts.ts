/** Pure: the replicas of a deployment as the scaler counts them. */
import type { ReplicaReason } from '../api/conditions.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { markedAtMs } from '../autoscaler/marks.ts';
import type { ReplicaCounts } from '../autoscaler/observation.ts';
import { conditionOf, type ReplicaState } from './diagnose/context.ts';
import { podsRefused } from './diagnose/deployment.ts';
import { outgrown, staying } from './diagnose/endings.ts';
import { replicaContext } from './diagnose/replica-context.ts';
import { diagnoseReplica } from './diagnose/replica.ts';

/** With another GPU, node, volume or quota there would be a place for it. */
const NO_ROOM: readonly ReplicaReason[] = ['WaitingForGPU', 'NoMatchingNode', 'Unschedulable', 'QuotaExceeded'];

/** From the last probe in time to the change of the condition. */
const PROBE_SLACK_MS = 30_000;

type Standing = 'ready' | 'leaving' | 'pending' | NonNullable<ReplicaCounts['blockedBy']>;

/** Returns the counts of `pods`, all that Kubernetes knows of `resource`. */
export function replicaCounts(
  resource: InferenceDeployment,
  deployment: Deployment | undefined,
  pods: readonly Pod[],
): Omit<ReplicaCounts, 'startTimesMs'> {
  const context = replicaContext({ resource, profile: undefined });
  const current = deployment?.spec.replicas ?? 0;
  const replicas = staying(pods);
  // Each that takes the place of one that outgrew what it has looks well until it does the same.
  const outgrows = outgrown(pods, deployment, context) !== undefined;
  const standings = replicas.map((pod): Standing => {
    const standing = standingOf(diagnoseReplica(pod, context), markedAtMs(pod) !== undefined);
    return standing === 'pending' && outgrows ? 'Failing' : standing;
  });
  // Those that Kubernetes has yet to make, unless it says that it may not.
  const refused = podsRefused(deployment, context);
  const unmade = refused === undefined ? 'pending' : blockedBy(refused.reason);
  for (let missing = current - replicas.length; missing > 0; missing -= 1) standings.push(unmade);
  const count = (wanted: Standing): number => standings.filter((standing) => standing === wanted).length;
  const [failing, waiting] = [count('Failing'), count('WaitingForGPU')];
  return {
    current,
    ready: count('ready'),
    pending: count('pending'),
    blocked: failing + waiting,
    // Somebody has to mend the one, where the other may end by itself.
    blockedBy: failing > 0 ? 'Failing' : waiting > 0 ? 'WaitingForGPU' : undefined,
  };
}

/**
 * Returns how long each of `pods` took from when it was given a node to its first readiness, in milliseconds, of those
 * that turned ready after `afterMs`, and the time of the last of them, with which to ask next. What it waited for a GPU
 * before tells nothing of the next start; a pod that there is room for has its node at once. All are Unix milliseconds of
 * the cluster's own clocks, so that whoever keeps them beside what was learned from them neither loses nor doubles one.
 */
export function startTimes(
  pods: readonly Pod[],
  { afterMs, startupTimeoutSeconds }: { afterMs: number; startupTimeoutSeconds: number },
): { startTimesMs: number[]; untilMs: number } {
  const starts = pods.flatMap((pod) => {
    const readyAtMs = firstReadyAtMs(pod, startupTimeoutSeconds * 1_000);
    const scheduled = conditionOf(pod, 'PodScheduled');
    const placedAtMs = scheduled?.status === 'True' ? Date.parse(scheduled.lastTransitionTime ?? '') : Number.NaN;
    if (readyAtMs === undefined || !(readyAtMs > afterMs) || Number.isNaN(placedAtMs)) return [];
    // The two are of different clocks, and in whole seconds.
    return { readyAtMs, tookMs: Math.max(0, readyAtMs - placedAtMs) };
  });
  return {
    startTimesMs: starts.map(({ tookMs }) => tookMs),
    untilMs: Math.max(afterMs, ...starts.map(({ readyAtMs }) => readyAtMs)),
  };
}

function standingOf({ phase, problem }: ReplicaState, isMarked: boolean): Standing {
  if (phase === 'draining') return 'leaving';
  if (phase === 'ready') return isMarked ? 'leaving' : 'ready';
  const isBlocked = phase === 'failed' || (problem !== undefined && NO_ROOM.includes(problem.reason));
  return isBlocked ? blockedBy(problem?.reason) : 'pending';
}

function blockedBy(reason: ReplicaReason | undefined): NonNullable<ReplicaCounts['blockedBy']> {
  return reason !== undefined && NO_ROOM.includes(reason) ? 'WaitingForGPU' : 'Failing';
}

/**
 * When the pod turned ready for the first time. One that is ready again, after its engine was started anew or missed its
 * probe, has no start to tell: an engine that is not ready within the startup timeout is ended, so that a later change is
 * another.
 */
function firstReadyAtMs(pod: Pod, startupTimeoutMs: number): number | undefined {
  const ready = conditionOf(pod, 'Ready');
  const engine = pod.status?.containerStatuses?.find(({ name }) => name === 'engine');
  if (ready?.status !== 'True' || engine === undefined || engine.restartCount > 0) return undefined;
  const readyAtMs = Date.parse(ready.lastTransitionTime ?? '');
  const startedAtMs = Date.parse(engine.state?.running?.startedAt ?? '');
  return readyAtMs - startedAtMs > startupTimeoutMs + PROBE_SLACK_MS ? undefined : readyAtMs;
}
