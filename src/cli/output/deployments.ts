/** Pure: the columns of a list of deployments, which are those of `kubectl get infer`. */
import { effectiveSpec } from '../../api/defaults.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { findCondition } from '../../kube/conditions.ts';
import { age } from './durations.ts';
import { healthOf } from '../health.ts';
import type { Health } from '../health.ts';
import type { Column, Tone } from './table.ts';

/** Returns what serves: the id at the hub, or the volume that holds it. */
export function modelOf({ spec: { model } }: InferenceDeployment): string {
  return model.id ?? `claim:${model.claim?.name ?? ''}${model.claim?.path === undefined ? '' : `/${model.claim.path}`}`;
}

/** Returns the columns; with `namespace` also that. Too narrow a terminal loses RPS and P95 last of those that go. */
export function deploymentColumns(now: Date, options: { namespace?: boolean } = {}): Column<InferenceDeployment>[] {
  const columns: Column<InferenceDeployment>[] = [
    { header: 'ID', value: ({ metadata }) => metadata.name },
    { header: 'MODEL', value: modelOf, cutTo: 16, drop: 6 },
    { header: 'PROFILE', value: ({ spec }) => effectiveSpec(spec).hardwareProfile, drop: 2 },
    { header: 'READY', value: readyOfDesired },
    { header: 'RPS', value: ({ status }) => status?.scaling?.requestsPerSecond ?? '', align: 'right', drop: 4 },
    {
      header: 'P95(MS)',
      value: ({ status }) => String(status?.scaling?.latencyP95Ms ?? ''),
      align: 'right',
      drop: 5,
    },
    { header: 'SCALING', value: ({ status }) => status?.scaling?.reason ?? '', drop: 1 },
    { header: 'STATUS', value: reasonOf, tone: toneOf },
    { header: 'AGE', value: ({ metadata }) => age(metadata.creationTimestamp, now), drop: 3 },
    {
      header: 'REPLICAS',
      wide: true,
      drop: 0,
      value: ({ spec }) => `${effectiveSpec(spec).minReplicas}-${effectiveSpec(spec).maxReplicas}`,
    },
    { header: 'COST/H', wide: true, drop: 0, value: costPerHour },
    { header: 'ENDPOINT', wide: true, drop: 0, cutTo: 20, value: ({ status }) => status?.endpoint?.baseUrl ?? '' },
  ];
  return options.namespace === true
    ? [{ header: 'NAMESPACE', value: ({ metadata }) => metadata.namespace ?? '' }, ...columns]
    : columns;
}

function costPerHour({ status }: InferenceDeployment): string {
  return status?.cost?.perHour === undefined ? '' : `${status.cost.perHour} ${status.cost.currency ?? ''}`;
}

function readyOfDesired({ status }: InferenceDeployment): string {
  return `${status?.replicas?.ready ?? 0}/${status?.replicas?.desired ?? 0}`;
}

/** Returns the reason of the Ready condition. */
export function reasonOf({ status }: InferenceDeployment): string {
  return findCondition(status?.conditions, 'Ready')?.reason ?? 'Pending';
}

const TONES: Record<Health['state'], Tone> = { ready: 'good', stopped: 'dim', waiting: 'warning', failing: 'bad' };

/** Returns the colour that goes with the reason. */
export function toneOf(deployment: InferenceDeployment): Tone {
  return TONES[healthOf(deployment).state];
}
