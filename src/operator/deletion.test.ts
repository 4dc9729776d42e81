import { expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, readyPod, replicaPod } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { Pod } from '../api/kubernetes.ts';
import { deletingStatus } from './deletion.ts';

const NOW = new Date('2026-01-01T00:10:00Z');

function going(): InferenceDeployment {
  const resource = inferenceDeployment();
  const told = { status: 'True', reason: 'Serving', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;
  resource.metadata = { ...resource.metadata, generation: 2, deletionTimestamp: '2026-01-01T00:10:00Z' };
  resource.status = {
    conditions: [
      { type: 'Ready', ...told },
      { type: 'Available', ...told },
    ],
    replicas: { desired: 1, ready: 1, starting: 0, draining: 0, failed: 0 },
    endpoint: { model: 'chat' },
  };
  return resource;
}

const profile = hardwareProfile({ price: { currency: 'EUR', perGpuHour: '1.50' } });

function left(resource: InferenceDeployment, pods: Pod[], now = NOW) {
  return deletingStatus({ resource, profile, pods, usage: undefined }, now);
}

function named(uid: string, pod: Pod): Pod {
  return { ...pod, metadata: { ...pod.metadata, name: uid, uid } };
}

function reasons({ status }: InferenceDeployment): string[] {
  return (status?.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is}/${reason}`);
}

test('a deployment that goes is not ready, and available as long as a replica serves', () => {
  const resource = going();
  resource.status = left(resource, [readyPod()]);
  expect(reasons(resource)).toEqual(['Ready=False/Deleting', 'Available=True/Serving']);
  expect(resource.status).toMatchObject({ observedGeneration: 2, replicas: { ready: 1 }, endpoint: { model: 'chat' } });

  const leaving = readyPod();
  leaving.metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:10:00Z' };
  resource.status = left(resource, [leaving]);
  expect(reasons(resource)).toEqual([
    'Ready=False/Deleting',
    'Available=False/Deleting',
    'ReplicasReady=False/Deleting',
  ]);
  expect(resource.status.replicas?.ready).toBe(0);
});

test('a later pass changes nothing', () => {
  const resource = going();
  resource.status = left(resource, []);
  expect(left(resource, [], new Date('2026-01-01T00:20:00Z'))).toEqual(resource.status);
});

test('the replicas that are left are told alike by counts, list and cost, and their time is counted on', () => {
  const resource = going();
  const shown = { name: 'gone', uid: 'pod-9', readiness: 'Failed' };
  resource.status = {
    ...resource.status,
    replicas: { desired: 4, ready: 4, starting: 0, draining: 1, failed: 1, drainingPods: ['pod-9'], pods: [shown] },
    cost: { currency: 'EUR', perHour: '6.00', perGpuHour: '1.50', perMillionTokens: '2' },
  };
  const leaving = named('pod-1', readyPod());
  leaving.metadata.deletionTimestamp = '2026-01-01T00:10:00Z';
  const chosen = named('pod-2', readyPod());
  chosen.metadata.annotations = { 'infer.dev/draining-since': '2026-01-01T00:09:00Z' };
  const loading = named('pod-3', replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } }));
  const over = named('pod-4', replicaPod({}, { phase: 'Failed' }));
  const usage = { replicaSeconds: 600, gpuSeconds: 600, asOf: '2026-01-01T00:10:00Z', replicasSince: 1 };
  const status = deletingStatus({ resource, profile, pods: [leaving, chosen, loading, over], usage }, NOW);
  expect(status.replicas).toMatchObject({ desired: 4, ready: 0, starting: 1, draining: 2, failed: 0 });
  expect(status.replicas?.drainingPods).toEqual(['pod-2']);
  expect(status.replicas?.pods?.map(({ uid, readiness, reason }) => [uid, readiness, reason])).toEqual([
    ['pod-3', 'Starting', 'Loading'],
    ['pod-1', 'Draining', 'Draining'],
    ['pod-2', 'Draining', 'Draining'],
  ]);
  expect(status.cost).toEqual({ currency: 'EUR', perHour: '4.50', perGpuHour: '1.50' });
  expect(status.usage).toEqual(usage);
});
