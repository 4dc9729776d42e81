/** Pure: replicas that Kubernetes ended, or whose node is gone → who ended them, why, and whether it may come again. */
import { isReady, namedRevision, type Deployment, type Pod } from '../../api/kubernetes.ts';
import { REVISION_LABEL } from '../../api/labels.ts';
import { conditionOf, failed, type Problem, type ReplicaContext, type ReplicaState } from './context.ts';
import { hostileText, withoutFullStop } from './messages.ts';

/**
 * Returns true for a pod that has ended for good and only waits to be cleaned up. Its ReplicaSet has replaced it, so it
 * holds no GPU and tells of the past.
 */
export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** Returns those of `pods` that neither leave nor have ended. */
export function staying(pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && !isOver(pod));
}

/** Returns the state of a replica that is to go. */
export function leaving(pod: Pod): ReplicaState {
  const lost = nodeLost(pod);
  if (lost) return { ...lost, phase: 'draining' };
  if (conditionOf(pod, 'DisruptionTarget')?.reason === 'PreemptionByScheduler') {
    return { phase: 'draining', problem: PREEMPTED };
  }
  return {
    phase: 'draining',
    problem: { reason: 'Draining', message: 'A replica finishes its requests and leaves.' },
  };
}

const PREEMPTED: Problem = {
  reason: 'Preempted',
  message:
    'Kubernetes gave the place of a replica to a pod of higher priority. Free a GPU, or raise priorityClassName of the profile.',
};

/**
 * Returns the state of a replica whose node does not answer; undefined where it does. The kubelet always changes Ready and
 * ContainersReady together; the node controller, once it misses the kubelet, changes Ready alone.
 */
export function nodeLost(pod: Pod): ReplicaState | undefined {
  const lost = conditionOf(pod, 'Ready')?.status === 'False' && conditionOf(pod, 'ContainersReady')?.status === 'True';
  if (!lost) return undefined;
  const node = pod.spec?.nodeName ?? '';
  return failed(
    'NodeLost',
    `Node ${node} with a replica does not answer. Bring it back, or delete it so that Kubernetes gives up its replicas: kubectl describe node ${node}`,
  );
}

/** Returns the state of a replica that is over. */
export function endedByNode({ status }: Pod, context: ReplicaContext): ReplicaState {
  const said = status?.message ?? '';
  if (status?.reason === 'Preempting') return { phase: 'failed', problem: PREEMPTED };
  if (status?.phase === 'Succeeded') return endedInOrder(context);
  if (status?.reason === 'Evicted') return evicted(said, context);
  const detail = withoutFullStop(hostileText(said === '' ? (status?.reason ?? 'no reason given') : said));
  return failed('EndedByNode', `The node ended a replica: ${detail}. Kubernetes starts another.`);
}

/**
 * No engine ends by itself for good: Kubernetes starts it again. Where one that is evicted ends with exit code 0 the kubelet
 * forgets why it did so, and only its Event tells.
 */
function endedInOrder({ namespace }: ReplicaContext): ReplicaState {
  return failed(
    'EndedByNode',
    `The node ended a replica, as it does where one uses too much disk; its event tells why: kubectl -n ${namespace} get events --field-selector reason=Evicted`,
  );
}

function evicted(message: string, { profileName }: ReplicaContext): ReplicaState {
  const [, volume, limit = ''] = /EmptyDir volume "([^"]*)" exceeds the limit "([^"]*)"/.exec(message) ?? [];
  if (volume === 'shared-memory') {
    return failed(
      'OutOfMemory',
      `A replica used more than the ${hostileText(limit)} of /dev/shm that it has. Raise sharedMemory of profile ${profileName}.`,
    );
  }
  if (volume !== undefined) {
    return failed(
      'DiskFull',
      `A replica used more than the ${hostileText(limit)} of disk that it has for the model. Raise modelCache.sizeLimit of profile ${profileName}, or choose a smaller model.`,
    );
  }
  // What follows names amounts, which differ with each eviction.
  const [first = ''] = message.split('. ');
  const said = withoutFullStop(hostileText(first === '' ? 'no reason given' : first));
  if (said.startsWith('Pod ephemeral local storage usage exceeds')) {
    return failed('DiskFull', `${said}. Raise the limit of ephemeral-storage in the LimitRange of the namespace.`);
  }
  const next = said.includes('ephemeral-storage') ? 'Free disk on the node. ' : '';
  return failed('Evicted', `The node ended a replica: ${said}. ${next}Kubernetes starts another.`);
}

/** An ending that comes again with each new replica, since what the replica has is too little; or may well do so. */
function comesAgain({ status }: Pod, { problem }: ReplicaState): boolean {
  return status?.phase === 'Succeeded' || problem?.reason === 'DiskFull' || problem?.reason === 'OutOfMemory';
}

/**
 * Returns the problem of the last replica of the newest revision among `pods` that outgrew its limits, unless one has
 * become ready since: its successor loads for a while and then ends in the same way.
 */
export function outgrown(
  pods: readonly Pod[],
  deployment: Deployment | undefined,
  context: ReplicaContext,
): Problem | undefined {
  const live = pods.filter((pod) => !isOver(pod));
  const current = ofNewestRevision(live, deployment);
  const revision = revisionOf(current[0]);
  const readySince = Math.max(0, ...current.map(readySinceMs));
  const told = pods
    .filter((pod) => isOver(pod) && revisionOf(pod) === revision && endedAtMs(pod) > readySince)
    .map((pod) => ({ pod, state: endedByNode(pod, context) }))
    .filter(({ pod, state }) => comesAgain(pod, state))
    .toSorted((a, b) => endedAtMs(a.pod) - endedAtMs(b.pod));
  return told.at(-1)?.state.problem;
}

/**
 * Returns those of the live `pods` that are of the newest revision: the failures of the one before are what the change
 * was to mend.
 */
export function ofNewestRevision(pods: readonly Pod[], deployment: Deployment | undefined): Pod[] {
  const named = deployment && namedRevision(deployment);
  const isNamed = (pod: Pod): boolean => revisionOf(pod) === named?.hash;
  // By the times and not by the Deployment's counts, which come later than the pods.
  const after = Date.parse(named?.completedAt ?? '');
  const newer = pods.filter((pod) => !isNamed(pod) && createdMs(pod) >= after);
  const told = newer.length > 0 ? newer : pods.filter(isNamed);
  // A pod of the old revision whose node was drained is made again, and younger than those that fail.
  const candidates = told.length > 0 ? told : pods;
  // Kubernetes keeps whole seconds: of two that were made within one, the old revision is the one that serves, if any does.
  const newest = candidates.toSorted(
    (a, b) => createdMs(b) - createdMs(a) || Number(isReady(a)) - Number(isReady(b)),
  )[0];
  return pods.filter((pod) => revisionOf(pod) === revisionOf(newest));
}

function createdMs({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

/** Returns what Kubernetes calls the template that the pod was made from. */
export function revisionOf(pod: Pod | undefined): string | undefined {
  return pod?.metadata.labels?.[REVISION_LABEL];
}

function readySinceMs(pod: Pod): number {
  const ready = conditionOf(pod, 'Ready');
  return ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : 0;
}

function endedAtMs(pod: Pod): number {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const ends = [...initContainerStatuses, ...containerStatuses].map(({ state }) => state?.terminated?.finishedAt);
  return Math.max(createdMs(pod), ...ends.map((end) => Date.parse(end ?? '') || 0));
}
