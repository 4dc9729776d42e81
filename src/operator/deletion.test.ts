import { expect, test } from '@jest/globals';
import { inferenceDeployment, readyPod } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
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

function reasons({ status }: InferenceDeployment): string[] {
  return (status?.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is}/${reason}`);
}

test('a deployment that goes is not ready, and available as long as a replica serves', () => {
  const resource = going();
  resource.status = deletingStatus(resource, [readyPod()], undefined, NOW);
  expect(reasons(resource)).toEqual(['Ready=False/Deleting', 'Available=True/Serving']);
  expect(resource.status).toMatchObject({ observedGeneration: 2, replicas: { ready: 1 }, endpoint: { model: 'chat' } });

  const leaving = readyPod();
  leaving.metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:10:00Z' };
  resource.status = deletingStatus(resource, [leaving], undefined, NOW);
  expect(reasons(resource)).toEqual([
    'Ready=False/Deleting',
    'Available=False/Deleting',
    'ReplicasReady=False/Deleting',
  ]);
  expect(resource.status.replicas?.ready).toBe(0);
});

test('a later pass changes nothing', () => {
  const resource = going();
  resource.status = deletingStatus(resource, [], undefined, NOW);
  expect(deletingStatus(resource, [], undefined, new Date('2026-01-01T00:20:00Z'))).toEqual(resource.status);
});

test('the replicas that are left are shown, and their time is counted on', () => {
  const resource = going();
  const shown = { name: 'infer-chat-5d9f-abcde', uid: 'pod-1', readiness: 'Ready', node: 'node-1' };
  resource.status = {
    ...resource.status,
    replicas: { ...resource.status?.replicas, pods: [shown, { ...shown, name: 'gone', uid: 'pod-2' }] },
  };
  const leaving = readyPod();
  leaving.metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:10:00Z' };
  const usage = { replicaSeconds: 600, gpuSeconds: 600, asOf: '2026-01-01T00:10:00Z', replicasSince: 1 };
  const status = deletingStatus(resource, [leaving], usage, NOW);
  expect(status.replicas?.pods).toEqual([{ ...shown, readiness: 'Draining', reason: 'Draining' }]);
  expect(status.usage).toEqual(usage);
});
