/**
 * Pure: one pod → what that replica is doing and, if it does not serve, why and what to do. A failure stays reported
 * while Kubernetes tries again (running, back-off, running, ...), so that a steady failure does not flap.
 */
import { isReady, type ContainerStatus, type Pod } from '../../api/kubernetes.ts';
import { blockedStart, lastEnd, neverStarted, type End } from './container.ts';
import { conditionOf, failed, starting, type ReplicaContext, type ReplicaState } from './context.ts';
import { endedByNode, isOver, leaving, nodeLost } from './endings.ts';
import type { EngineCause } from './engine-log.ts';
import { parseDownloadFailure } from './messages.ts';
import { unscheduled } from './scheduling.ts';

/** From this many restarts on a failing engine is said to loop. */
export const CRASH_LOOP_RESTARTS = 3;

/** From the first to the last of n probes pass n - 1 periods. */
const PROBE_SLACK_MS = 5_000;

/** The kubelet's reason for a container that the kernel killed at its memory limit. */
const OUT_OF_MEMORY = 'OOMKilled';
/** Of a container that was ended by SIGKILL. */
const KILLED = 137;

/** An end of an engine of which its log may tell the cause. */
export interface EngineEnd {
  /** No two ends of engines have the same. */
  key: string;
  /** Kubernetes keeps the log as that of the container before the current one. */
  previous: boolean;
}

/**
 * Returns the state of the replica `pod`; `cause` is what the log of its engine says of the last end, where that is
 * known.
 */
export function diagnoseReplica(pod: Pod, context: ReplicaContext, cause?: EngineCause): ReplicaState {
  if (pod.metadata.deletionTimestamp !== undefined) return leaving(pod);
  if (isOver(pod)) return endedByNode(pod, context);
  if (isReady(pod)) return { phase: 'ready' };
  return (
    nodeLost(pod) ??
    unscheduled(pod, context) ??
    diagnoseDownload(status(pod, 'initContainerStatuses', 'download'), context) ??
    engine(pod, context, cause)
  );
}

/**
 * Returns the end of the engine of `pod` that is to be diagnosed by its log; undefined for a replica that serves or
 * leaves, and for an end that Kubernetes itself explains.
 */
export function engineEnd(pod: Pod): EngineEnd | undefined {
  if (pod.metadata.deletionTimestamp !== undefined || isOver(pod)) return undefined;
  if (isReady(pod)) return undefined;
  const container = status(pod, 'containerStatuses', 'engine');
  const end = container && failedEnd(pod, container);
  if (end === undefined || end.reason === OUT_OF_MEMORY || neverStarted(end)) return undefined;
  return {
    key: `${pod.metadata.uid ?? ''}/${end.containerID ?? ''}/${end.finishedAt ?? ''}`,
    previous: container?.state?.terminated === undefined,
  };
}

function status(
  pod: Pod,
  list: 'initContainerStatuses' | 'containerStatuses',
  name: string,
): ContainerStatus | undefined {
  return pod.status?.[list]?.find((candidate) => candidate.name === name);
}

/** Returns what the container that downloads a model does; undefined for one that is done, or unknown. */
export function diagnoseDownload(
  container: ContainerStatus | undefined,
  context: ReplicaContext,
): ReplicaState | undefined {
  if (container === undefined || container.state?.terminated?.exitCode === 0) return undefined;
  const blocked = blockedStart(container, context);
  if (blocked) return blocked;
  const end = lastEnd(container);
  if (end?.reason === OUT_OF_MEMORY) {
    return failed('DownloadFailed', 'The download container ran out of memory. Report this: it needs a fixed amount.');
  }
  if (end) {
    const { reason, message } = parseDownloadFailure(end.message);
    return failed(reason, message);
  }
  return container.state?.running
    ? starting('Downloading', 'A replica downloads the model.')
    : starting('Scheduling', 'The node prepares a replica.');
}

/** How the engine ended that does not serve now; undefined for one that has answered since it was started again. */
function failedEnd(pod: Pod, container: ContainerStatus): End | undefined {
  // Any end is a failure, also with exit code 0: an engine that a probe gave up on may shut down in order.
  return container.state?.running && wasReady(pod, container) ? undefined : lastEnd(container);
}

function engine(pod: Pod, context: ReplicaContext, cause: EngineCause | undefined): ReplicaState {
  const container = status(pod, 'containerStatuses', 'engine');
  if (container === undefined) return starting('Scheduling', 'The node prepares a replica.');
  const blocked = blockedStart(container, context);
  if (blocked) return blocked;
  if (container.state?.running && wasReady(pod, container)) {
    return failed('NotResponding', `A replica stopped answering its health probe. See: ${logs(context, false)}`);
  }
  const end = failedEnd(pod, container);
  // What a rule recognises in its log explains also why it was not ready in time; other last words follow from the signal.
  const isUnexplained = cause === undefined || cause.reason === 'EngineFailed';
  if (end && isUnexplained && timedOut(pod, end, context)) {
    return failed(
      'StartupTimeout',
      `The engine did not answer its health probe within startupTimeoutSeconds and was ended. Raise spec.startupTimeoutSeconds if it needs longer, or see why: ${logs(context, true)}`,
    );
  }
  if (end) {
    const { phase, problem } = engineFailure(end, container, context, cause);
    return { phase, problem: isUnexplained && wasKilled(end) ? { ...problem, likely: 'OutOfMemory' } : problem };
  }
  if (!container.state?.running) return starting('Scheduling', 'The node prepares a replica.');
  return starting('Loading', 'The engine loads the model.');
}

function engineFailure(
  end: End,
  container: ContainerStatus,
  context: ReplicaContext,
  cause: EngineCause | undefined,
): Required<ReplicaState> {
  if (end.reason === OUT_OF_MEMORY) {
    return failed(
      'OutOfMemory',
      `The engine used more host memory than profile ${context.profileName} allows. Raise resources.limits.memory of the profile.`,
    );
  }
  if (cause) {
    // vLLM speaks of GPU memory also where it runs on CPUs.
    const onCpu = cause.reason === 'GPUOutOfMemory' && context.accelerator === undefined;
    return failed(onCpu ? 'OutOfMemory' : cause.reason, cause.message);
  }
  const see = `See: ${logs(context, true)}`;
  return container.restartCount >= CRASH_LOOP_RESTARTS
    ? failed('CrashLooping', `The engine ends with exit code ${end.exitCode} again and again. ${see}`)
    : failed('EngineFailed', `The engine ended with exit code ${end.exitCode}. ${see}`);
}

/**
 * Whether the engine was killed and the kubelet does not say by whom: it says `Error` instead of `OOMKilled` where it knows
 * of the container's end before the kernel's word of why.
 */
function wasKilled({ exitCode, reason }: End): boolean {
  return exitCode === KILLED && reason === 'Error';
}

function logs(context: ReplicaContext, previous: boolean): string {
  const which = previous ? ' --previous' : '';
  return `kubectl -n ${context.namespace} logs deployment/${context.deploymentName} -c engine${which}`;
}

/**
 * A pod's Ready condition is False from its creation; a later change than the engine's start means that it was True
 * in between.
 */
function wasReady(pod: Pod, container: ContainerStatus): boolean {
  return readyChangedMs(pod) > Date.parse(container.state?.running?.startedAt ?? '');
}

function readyChangedMs(pod: Pod): number {
  return Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '');
}

/** Whether the startup probe ended the engine: it ran for as long as it may, and was ready at no time of it. */
function timedOut(pod: Pod, end: End, { startupTimeoutSeconds }: ReplicaContext): boolean {
  const started = Date.parse(end.startedAt ?? '');
  const ranMs = Date.parse(end.finishedAt ?? '') - started;
  if (end.reason === OUT_OF_MEMORY || readyChangedMs(pod) > started) return false;
  return ranMs >= startupTimeoutSeconds * 1_000 - PROBE_SLACK_MS;
}
