/**
 * Pure: one pod → what that replica is doing and, if it does not serve, why and what to do. A failure stays reported
 * while Kubernetes tries again (running, back-off, running, ...), so that a steady failure does not flap.
 */
import type { ReplicaReason } from '../../api/conditions.ts';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import type { EngineCause } from './engine-log.ts';
import { hostileText, parseDownloadFailure } from './messages.ts';

export interface ReplicaState {
  phase: 'ready' | 'starting' | 'draining' | 'failed';
  /** Absent for a replica that serves. */
  problem?: { reason: ReplicaReason; message: string };
}

/** What the messages name. */
export interface ReplicaContext {
  namespace: string;
  /** The Deployment's name, for the commands that a message suggests. */
  deploymentName: string;
  profileName: string;
  /** For example `1 nvidia.com/gpu`; absent for a CPU profile. */
  accelerator?: string;
  tokenSecret?: { name: string; key: string };
}

/** From this many restarts on a failing engine is said to loop. */
const CRASH_LOOP_RESTARTS = 3;

/** The kubelet's reason for a container that the kernel killed at its memory limit. */
const OUT_OF_MEMORY = 'OOMKilled';

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
  if (pod.metadata.deletionTimestamp !== undefined) {
    return {
      phase: 'draining',
      problem: { reason: 'Draining', message: 'A replica finishes its requests and leaves.' },
    };
  }
  if (isOver(pod)) {
    const detail = hostileText(pod.status?.message ?? pod.status?.reason ?? 'no reason given');
    return failed(
      pod.status?.reason === 'Evicted' ? 'Evicted' : 'EndedByNode',
      `The node ended a replica: ${detail}. Kubernetes starts another.`,
    );
  }
  if (condition(pod, 'Ready')?.status === 'True') return { phase: 'ready' };
  return (
    unscheduled(pod, context) ??
    diagnoseDownload(status(pod, 'initContainerStatuses', 'download'), context) ??
    engine(pod, context, cause)
  );
}

/**
 * Returns true for a pod that has ended for good and only waits to be cleaned up. Its ReplicaSet has replaced it, so it
 * holds no GPU and tells of the past.
 */
export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/**
 * Returns the end of the engine of `pod` that is to be diagnosed by its log; undefined for a replica that serves or
 * leaves, and for an end that Kubernetes itself explains.
 */
export function engineEnd(pod: Pod): EngineEnd | undefined {
  if (pod.metadata.deletionTimestamp !== undefined || isOver(pod)) return undefined;
  if (condition(pod, 'Ready')?.status === 'True') return undefined;
  const container = status(pod, 'containerStatuses', 'engine');
  const end = container && failedEnd(pod, container);
  if (end === undefined || end.reason === OUT_OF_MEMORY) return undefined;
  return {
    key: `${pod.metadata.uid ?? ''}/${end.containerID ?? ''}/${end.finishedAt ?? ''}`,
    previous: container?.state?.terminated === undefined,
  };
}

function failed(reason: ReplicaReason, message: string): ReplicaState {
  return { phase: 'failed', problem: { reason, message } };
}

function starting(reason: ReplicaReason, message: string): ReplicaState {
  return { phase: 'starting', problem: { reason, message } };
}

type PodCondition = NonNullable<NonNullable<Pod['status']>['conditions']>[number];

/** Returns the condition of the pod; undefined where Kubernetes has not set it. */
export function condition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((candidate) => candidate.type === type);
}

function status(
  pod: Pod,
  list: 'initContainerStatuses' | 'containerStatuses',
  name: string,
): ContainerStatus | undefined {
  return pod.status?.[list]?.find((candidate) => candidate.name === name);
}

/**
 * "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient nvidia.com/gpu. preemption: ..." → the distinct
 * reasons, so that status does not change with the number of nodes. What follows explains preemption only.
 */
export function schedulerReasons(message: string): string {
  const [first = ''] = message.replace(/^\d+\/\d+ nodes are available: /, '').split('. ');
  const reasons = first.split(/, (?=\d+ )/).map((reason) => reason.replace(/^\d+ /, '').replace(/\.$/, ''));
  return [...new Set(reasons)].toSorted().join(', ');
}

function unscheduled(pod: Pod, context: ReplicaContext): ReplicaState | undefined {
  const scheduled = condition(pod, 'PodScheduled');
  if (scheduled?.status !== 'False') {
    return pod.spec?.nodeName === undefined && scheduled === undefined
      ? starting('Scheduling', 'Kubernetes is choosing a node.')
      : undefined;
  }
  const said = hostileText(schedulerReasons(scheduled.message ?? ''));
  if (said.includes('persistentvolumeclaim')) {
    return starting(
      'Unschedulable',
      `The volume with the model cannot be used: ${said}. Create the claim in namespace ${context.namespace}, or name another in spec.model.claim.`,
    );
  }
  if (context.accelerator === undefined) {
    return starting(
      'Unschedulable',
      `No node can take a replica of profile ${context.profileName}: ${said}. Free capacity or change the profile.`,
    );
  }
  const next = /affinity|selector|taint/.test(said)
    ? 'Check the profile against the labels and taints of the nodes, or free such a node.'
    : 'Free a GPU, add a node, or lower minReplicas.';
  return starting(
    'WaitingForGPU',
    `No node has ${context.accelerator} free for profile ${context.profileName}: ${said}. ${next}`,
  );
}

function imagePull(container: ContainerStatus): ReplicaState | undefined {
  const waiting = container.state?.waiting;
  if (!/^(ErrImage|ImagePull|ImageInspect|InvalidImage|Registry)/.test(waiting?.reason ?? '')) return undefined;
  const image = container.image === undefined ? 'the image' : `image ${container.image}`;
  const next =
    container.name !== 'engine'
      ? "It is the image of this install of Infer: check the operator's INFER_IMAGE, and imagePullSecrets of the profile."
      : 'Check the name and tag in the profile, and imagePullSecrets if the registry needs credentials.';
  return failed('ImagePullFailed', `The node cannot pull ${image} of container ${container.name}. ${next}`);
}

function configuration(container: ContainerStatus, context: ReplicaContext): ReplicaState | undefined {
  const waiting = container.state?.waiting;
  if (waiting?.reason !== 'CreateContainerConfigError' && waiting?.reason !== 'CreateContainerError') return undefined;
  if (context.tokenSecret && /secret/i.test(waiting.message ?? '')) {
    const { name, key } = context.tokenSecret;
    return failed(
      'TokenMissing',
      `Namespace ${context.namespace} has no Secret ${name} with key ${key}. Create it: kubectl -n ${context.namespace} create secret generic ${name} --from-file=${key}=FILE`,
    );
  }
  return failed(
    'ContainerConfigInvalid',
    `Kubernetes cannot create container ${container.name}: ${hostileText(waiting.message ?? 'no message')}`,
  );
}

/** Returns why Kubernetes cannot start the container; undefined where nothing keeps it from it. */
export function blockedStart(container: ContainerStatus, context: ReplicaContext): ReplicaState | undefined {
  return imagePull(container) ?? configuration(container, context);
}

type End = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

/** Returns how the container last ended, also while it runs again or waits to. */
export function lastEnd(container: ContainerStatus): End | undefined {
  return container.state?.terminated ?? container.lastState?.terminated;
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
  if (end) return engineFailure(end, container, context, cause);
  if (!container.state?.running) return starting('Scheduling', 'The node prepares a replica.');
  return starting('Loading', 'The engine loads the model.');
}

function engineFailure(
  end: End,
  container: ContainerStatus,
  context: ReplicaContext,
  cause: EngineCause | undefined,
): ReplicaState {
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

function logs(context: ReplicaContext, previous: boolean): string {
  const which = previous ? ' --previous' : '';
  return `kubectl -n ${context.namespace} logs deployment/${context.deploymentName} -c engine${which}`;
}

/**
 * A pod's Ready condition is False from its creation; a later change than the engine's start means that it was True
 * in between.
 */
function wasReady(pod: Pod, container: ContainerStatus): boolean {
  const changed = Date.parse(condition(pod, 'Ready')?.lastTransitionTime ?? '');
  const started = Date.parse(container.state?.running?.startedAt ?? '');
  return changed > started;
}
