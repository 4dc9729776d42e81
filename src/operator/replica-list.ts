/** Pure: the replicas one by one, as the status shows them beside their counts. */
import type { InferenceDeploymentStatusReplicas } from '../api/generated/inference-deployment.ts';
import type { Pod } from '../api/kubernetes.ts';
import { markedAtMs } from '../autoscaler/marks.ts';
import { MAX_MARKS } from '../autoscaler/victims.ts';
import { conditionOf, type ReplicaContext, type ReplicaState } from './diagnose/context.ts';
import { isOver } from './diagnose/endings.ts';
import type { EngineCause } from './diagnose/engine-log.ts';
import { diagnoseReplica } from './diagnose/replica.ts';

type ShownReplica = NonNullable<InferenceDeploymentStatusReplicas['pods']>[number];

const MAX_SHOWN = 64;
/** What needs somebody first. */
const ORDER: readonly ReplicaState['phase'][] = ['failed', 'starting', 'draining', 'ready'];
const READINESS: Readonly<Record<ReplicaState['phase'], string>> = {
  failed: 'Failed',
  starting: 'Starting',
  draining: 'Draining',
  ready: 'Ready',
};

interface Replica {
  pod: Pod;
  state: ReplicaState;
}

/**
 * Returns the state of `pod` by what `cause` says of its engine's last end, where that is known. One that was chosen to go
 * finishes its requests although it could serve more.
 */
export function replicaState(pod: Pod, context: ReplicaContext, cause?: EngineCause): ReplicaState {
  const state = diagnoseReplica(pod, context, cause);
  return state.phase === 'ready' && isMarked(pod) ? { phase: 'draining' } : state;
}

/**
 * Returns the counts of `replicas` by state, the first 64 of them by name, those that cannot run before all others, and
 * which were chosen to go.
 */
export function shownReplicas(replicas: readonly Replica[]): Omit<InferenceDeploymentStatusReplicas, 'desired'> {
  const count = (phase: ReplicaState['phase']): number => replicas.filter(({ state }) => state.phase === phase).length;
  const shown = replicas
    .toSorted((a, b) => rank(a) - rank(b) || (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1))
    .slice(0, MAX_SHOWN)
    .map(({ pod, state }) => shownReplica(pod, state));
  const marked = replicas.filter(({ pod }) => !isOver(pod) && isMarked(pod));
  const drainingPods = marked.map(({ pod }) => pod.metadata.uid ?? '').slice(0, MAX_MARKS);
  return {
    ready: count('ready'),
    starting: count('starting'),
    draining: count('draining'),
    failed: count('failed'),
    ...(shown.length > 0 && { pods: shown }),
    ...(drainingPods.length > 0 && { drainingPods: drainingPods.toSorted() }),
  };
}

/** Chosen by the scaler to go with the next scale-down, and not gone yet. */
function isMarked(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && markedAtMs(pod) !== undefined;
}

function rank({ state }: Replica): number {
  return ORDER.indexOf(state.phase);
}

function shownReplica(pod: Pod, { phase, problem }: ReplicaState): ShownReplica {
  const { metadata, spec } = pod;
  const scheduled = conditionOf(pod, 'PodScheduled');
  const placedAt = scheduled?.status === 'True' ? scheduled.lastTransitionTime : undefined;
  const since = placedAt ?? metadata.creationTimestamp;
  return {
    name: metadata.name,
    ...(metadata.uid !== undefined && { uid: metadata.uid }),
    readiness: READINESS[phase],
    // One that was chosen to go serves still, and nothing is wrong with it.
    ...(phase !== 'ready' && { reason: problem?.reason ?? 'Draining' }),
    ...(spec?.nodeName !== undefined && spec.nodeName !== '' && { node: spec.nodeName }),
    ...(since !== undefined && { since }),
  };
}
