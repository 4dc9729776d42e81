/** Pure: the columns of what is told of one deployment. */
import type {
  InferenceDeploymentStatusConditionsItem as Condition,
  InferenceDeploymentStatusReplicasPodsItem as Replica,
  InferenceDeploymentStatusScalingRecentItem as Change,
} from '../../api/generated/inference-deployment.ts';
import { age } from './durations.ts';
import type { Column, Tone } from './table.ts';

const REPLICA_TONES: Record<string, Tone> = { Ready: 'good', Starting: 'warning', Draining: 'dim', Failed: 'bad' };

/** Returns the columns of replicas. */
export function replicaColumns(now: Date): Column<Replica>[] {
  return [
    { header: 'REPLICA', value: ({ name }) => name },
    { header: 'STATE', value: ({ readiness }) => readiness, tone: ({ readiness }) => REPLICA_TONES[readiness] },
    { header: 'REASON', value: ({ reason }) => reason ?? '' },
    { header: 'NODE', value: ({ node }) => node ?? '', cutTo: 12, drop: 1 },
    { header: 'AGE', value: ({ since }) => age(since, now), drop: 2 },
  ];
}

/** Returns the columns of conditions; their messages stand below, whole. */
export function conditionColumns(now: Date): Column<Condition>[] {
  return [
    { header: 'CONDITION', value: ({ type }) => type },
    { header: 'STATUS', value: ({ status }) => status },
    { header: 'REASON', value: ({ reason }) => reason },
    { header: 'SINCE', value: ({ lastTransitionTime }) => age(lastTransitionTime, now), drop: 1 },
  ];
}

/** Returns the columns of changes of the number of replicas. */
export function scalingColumns(now: Date): Column<Change>[] {
  return [
    { header: 'WHEN', value: ({ time }) => age(time, now) },
    { header: 'CHANGE', value: ({ from, to }) => `${from} → ${to}` },
    { header: 'REASON', value: ({ reason }) => reason },
    { header: 'MESSAGE', value: ({ message }) => message ?? '', cutTo: 30 },
  ];
}
