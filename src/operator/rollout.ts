/**
 * Pure: how a rollout replaces replicas. It tries to surge: one more, none missing. Where the extra replica finds no
 * room for `gpuWaitSeconds`, and to remove an old one would make that room, it goes on with none more and one missing,
 * to its end. Which of the two a rollout is in stands in the Deployment's own strategy, so that it outlives the operator.
 */
import { isObserved, isRollingOut, type Deployment, type Pod } from '../api/kubernetes.ts';
import { revisionOf, staying } from './diagnose/endings.ts';

export interface RolloutInput {
  /** The live one; undefined before the first apply. */
  deployment: Deployment | undefined;
  /** The deployment's pods, those that leave included. */
  pods: readonly Pod[];
  gpuWaitSeconds: number;
  now: Date;
}

export interface Rollout {
  strategy: { maxSurge: number; maxUnavailable: number };
  /** After this long the wait for room is over. */
  lookAgainMs?: number;
}

export const SURGE = { maxSurge: 1, maxUnavailable: 0 };
export const REPLACE = { maxSurge: 0, maxUnavailable: 1 };

/** Returns the strategy for the deployment as it is now. */
export function planRollout({ deployment, pods, gpuWaitSeconds, now }: RolloutInput): Rollout {
  if (deployment === undefined) return { strategy: SURGE };
  const current = isReplacing(deployment) ? REPLACE : SURGE;
  // To decide on the status of another spec, which our own last write may have made it, would go back and forth.
  if (!isObserved(deployment)) return { strategy: current };
  if (!isRollingOut(deployment)) return { strategy: SURGE };
  if (current === REPLACE) return { strategy: REPLACE };
  const since = noRoomSince(deployment, pods);
  if (since === undefined) return { strategy: SURGE };
  const waitMs = since + gpuWaitSeconds * 1_000 - now.getTime();
  return waitMs > 0 ? { strategy: SURGE, lookAgainMs: waitMs } : { strategy: REPLACE };
}

/**
 * Returns whether replicas are replaced, or may be since Kubernetes has yet to see the last change. `pods` are all of the
 * Deployment: its own counts come later than they do.
 */
export function isUnderWay(deployment: Deployment, pods: readonly Pod[]): boolean {
  if (!isObserved(deployment) || isRollingOut(deployment)) return true;
  return new Set(staying(pods).map(revisionOf)).size > 1;
}

/** Returns whether the Deployment replaces its replicas one at a time, for want of room for one more. */
export function isReplacing({ spec }: Deployment): boolean {
  const { rollingUpdate } = spec.strategy as { rollingUpdate?: { maxSurge?: unknown } };
  return rollingUpdate?.maxSurge === 0;
}

/** Since when (Unix milliseconds) the extra replica has had no room that an old one would leave; undefined where it has. */
function noRoomSince(deployment: Deployment, pods: readonly Pod[]): number | undefined {
  const live = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const placed = live.filter((pod) => pod.spec?.nodeName !== undefined);
  if (placed.length === 0) return undefined;
  const refused = deployment.status?.conditions?.find(
    ({ type, status, message }) =>
      type === 'ReplicaFailure' && status === 'True' && (message ?? '').includes('exceeded quota'),
  );
  const times = [refused?.lastTransitionTime, ...live.map((pod) => unplacedSince(pod, placed))]
    .map((time) => Date.parse(time ?? ''))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.min(...times);
}

/**
 * Since when the scheduler has found too little of something for `pod`, where one of `placed` could make room for it. A
 * node that does not suit at all, or one of another kind, no old replica makes free: it is left to serve.
 */
function unplacedSince(pod: Pod, placed: readonly Pod[]): string | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False' || !(scheduled.message ?? '').includes('Insufficient')) return undefined;
  return placed.some((old) => makesRoom(old, pod)) ? scheduled.lastTransitionTime : undefined;
}

/** Whether `old` is on a node of the kind that `next` wants and holds at least as many accelerators. */
function makesRoom(old: Pod, next: Pod): boolean {
  const sameNodes = Object.entries(next.spec?.nodeSelector ?? {}).every(
    ([label, value]) => old.spec?.nodeSelector?.[label] === value,
  );
  const [held, wanted] = [acceleratorsOf(old), acceleratorsOf(next)];
  return sameNodes && Object.entries(wanted).every(([resource, count]) => (held[resource] ?? 0) >= count);
}

/** Extended resources, which are counted in whole numbers: all with a domain in their name. */
function acceleratorsOf({ spec }: Pod): Record<string, number> {
  const limits = (spec?.containers ?? []).flatMap(({ resources }) => Object.entries(resources?.limits ?? {}));
  return Object.fromEntries(
    limits.filter(([name]) => name.includes('/')).map(([name, count]) => [name, Number(count)]),
  );
}
