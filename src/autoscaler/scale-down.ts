/** Carries out the steps of a scale-down (victims.ts): sets and takes back marks, and says what count may be set now. */
import { isObserved, isReady, isRollingOut, type Deployment, type Pod } from '../api/kubernetes.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { markedAtMs, setMark } from './marks.ts';
import { planScaleDown, type LiveReplica } from './victims.ts';

/** What the gateways say of a deployment's replicas. */
export interface ReplicaWork {
  /** Requests in flight by pod UID; a pod without any may be absent. */
  inFlight: ReadonlyMap<string, number>;
  isDrained: (podUid: string) => boolean;
  /** A gateway that may hold requests is silent. */
  isPartial: boolean;
}

export interface ScaleDownContext {
  client: KubeClient;
  work: ReplicaWork;
  drainTimeoutMs: number;
  /** Whoever suspends a deployment waits for no request. */
  suspended: boolean;
  /** When this leader's term began. */
  since: Date;
  now: Date;
  /** Called with each pod as it was written. */
  onWrite: (pod: Pod) => void;
}

/** Between the clocks of two operators that are right. */
const CLOCK_SKEW_MS = 5_000;

export interface ScaleDownResult {
  /** The count to set now. */
  replicas: number;
  /** After this long the drain timeout is over, or to be looked at again. */
  requeueAfterMs?: number;
}

/**
 * Takes the next step from the Deployment's present count to `wanted`. `pods` are its pods, those that leave included.
 * Throws ApiError where a mark could not be written.
 */
export async function stepDown(
  deployment: Deployment,
  pods: readonly Pod[],
  wanted: number,
  context: ScaleDownContext,
): Promise<ScaleDownResult> {
  const { now, work } = context;
  const live = new Map(
    pods
      .filter(({ metadata, status }) => metadata.deletionTimestamp === undefined && !hasEnded(status?.phase))
      .map((pod) => [pod.metadata.uid ?? '', pod]),
  );
  const step = planScaleDown({
    wanted,
    current: deployment.spec.replicas ?? 0,
    replicas: [...live.values()].map((pod) => liveReplica(pod, work, now)),
    unobserved: !isObserved(deployment),
    rollingOut: isRollingOut(deployment) || new Set([...live.values()].map(replicaSetOf)).size > 1,
    isDrained: work.isDrained,
    isPartial: work.isPartial,
    drainTimeoutMs: context.drainTimeoutMs,
    sinceMs: context.since.getTime(),
    suspended: context.suspended,
    nowMs: now.getTime(),
  });
  // A mark of the future, by a clock that was wrong, would be waited for until then.
  const misdated = [...live.values()].filter((pod) => (markedAtMs(pod) ?? 0) > now.getTime() + CLOCK_SKEW_MS);
  const kept = misdated.filter(({ metadata }) => !step.unmark.some(({ podUid }) => podUid === metadata.uid));
  await Promise.all([
    ...kept.map(async (pod) => await writeMark(pod, now, context)),
    ...step.mark.map(async ({ podUid }) => await writeMark(live.get(podUid), now, context)),
    ...step.unmark.map(async ({ podUid }) => await writeMark(live.get(podUid), undefined, context)),
  ]);
  return { replicas: step.replicas, ...(step.waitMs !== undefined && { requeueAfterMs: step.waitMs }) };
}

function liveReplica(pod: Pod, work: ReplicaWork, now: Date): LiveReplica {
  const podUid = pod.metadata.uid ?? '';
  const marked = markedAtMs(pod);
  return {
    podUid,
    ready: isReady(pod),
    markedAtMs: marked === undefined ? undefined : Math.min(marked, now.getTime()),
    createdAtMs: Date.parse(pod.metadata.creationTimestamp ?? '') || 0,
    inFlight: work.inFlight.get(podUid) ?? 0,
  };
}

async function writeMark(pod: Pod | undefined, since: Date | undefined, context: ScaleDownContext): Promise<void> {
  if (pod === undefined) return;
  try {
    context.onWrite(await setMark(context.client, pod, since));
  } catch (error) {
    // It has gone meanwhile: its deletion brings the next pass.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

function hasEnded(phase: string | undefined): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

function replicaSetOf(pod: Pod): string | undefined {
  return pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
}
