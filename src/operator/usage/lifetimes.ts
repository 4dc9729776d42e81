/**
 * Pure: from when to when a replica had its place, by what the cluster says of its pod. All times are the cluster's own, in
 * whole Unix seconds: the clock of the operator tells only what nothing else does, when a pod was gone.
 */
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import { conditionOf } from '../diagnose/context.ts';
import { isOver } from '../diagnose/endings.ts';

export interface Lifetime {
  uid: string;
  gpus: number;
  /** When it was given its node. */
  since: number;
  /** When it ended; absent while it has its place. */
  until?: number;
}

/** A pod that is not there any more, as it was last seen. */
export interface DepartedPod {
  pod: Pod;
  /** When that was noticed, in Unix milliseconds. */
  atMs: number;
}

/** Returns the lifetimes of those of `pods` and `departed` that were ever given a node, each once: one that is there is. */
export function lifetimes(pods: readonly Pod[], departed: readonly DepartedPod[]): Lifetime[] {
  const there = new Set(pods.map(({ metadata }) => metadata.uid));
  const gone = departed.filter(({ pod }) => !there.has(pod.metadata.uid));
  return [
    ...pods.flatMap((pod) => lifetimeOf(pod, endOf(pod)) ?? []),
    ...gone.flatMap(({ pod, atMs }) => lifetimeOf(pod, endOf(pod) ?? departureOf(pod, atMs)) ?? []),
  ];
}

/** Returns whether the pod holds a node's room, and with it its GPUs, as far as is known. */
export function isPlaced(pod: Pod): boolean {
  return conditionOf(pod, 'PodScheduled')?.status === 'True' && endOf(pod) === undefined;
}

/**
 * Returns how many accelerators the pod has. It was made from the profile as that was then; beside processor and memory
 * it asks for nothing else.
 */
export function gpusOf({ spec }: Pod): number {
  const limits = spec?.containers?.find(({ name }) => name === 'engine')?.resources?.limits ?? {};
  // Only the names of extended resources have a domain.
  const count = Object.entries(limits).find(([name]) => name.includes('/'))?.[1];
  return Number(count ?? 0);
}

function lifetimeOf(pod: Pod, until: number | undefined): Lifetime | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  const since = scheduled?.status === 'True' ? seconds(scheduled.lastTransitionTime) : undefined;
  const { uid } = pod.metadata;
  if (since === undefined || uid === undefined) return undefined;
  return { uid, gpus: gpusOf(pod), since, ...(until !== undefined && { until: Math.max(since, until) }) };
}

/**
 * When its engine ended for good, whatever becomes of the object. One that Kubernetes will start again keeps its place
 * meanwhile.
 */
function endOf(pod: Pod): number | undefined {
  const { containerStatuses = [] } = pod.status ?? {};
  const ends = containerStatuses.map(({ state }) => seconds(state?.terminated?.finishedAt));
  const known = ends.filter((end) => end !== undefined);
  const allEnded = ends.length > 0 && known.length === ends.length;
  if (allEnded && (isOver(pod) || pod.metadata.deletionTimestamp !== undefined)) return Math.max(...known);
  // Evicted before it ran, or given up with its node: the last that was said of it is that.
  return isOver(pod) ? lastWordOf(pod) : undefined;
}

/**
 * When a pod was gone whose end nobody told, as where its node died. The time of the deletion that the pod carries has
 * its grace period in it: it was gone by then.
 */
function departureOf(pod: Pod, atMs: number): number {
  const noticed = Math.floor(atMs / 1_000);
  const deadline = seconds(pod.metadata.deletionTimestamp) ?? noticed;
  return Math.max(lastWordOf(pod), Math.min(noticed, deadline));
}

/** The newest time that anything about the pod has. */
function lastWordOf({ metadata, status }: Pod): number {
  const { conditions = [], initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  const times = [
    metadata.creationTimestamp,
    ...conditions.map(({ lastTransitionTime }) => lastTransitionTime),
    ...[...initContainerStatuses, ...containerStatuses].flatMap(timesOf),
  ];
  return Math.max(0, ...times.map((time) => seconds(time) ?? 0));
}

function timesOf({ state, lastState }: ContainerStatus): (string | undefined)[] {
  return [state?.running?.startedAt, state?.terminated?.finishedAt, lastState?.terminated?.finishedAt];
}

function seconds(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '');
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1_000);
}
