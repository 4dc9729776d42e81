/** The batch process with the rights that it ships with keeps the time of replicas in its store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { inferenceDeployments } from '../../src/api/resources.ts';
import { ReplicaTimeRecords } from '../../src/batch/replica-time/records.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { createStores } from '../../src/store/create-store.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { BatchProcess } from '../support/batch-process.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, createNamespace, MemoryLogger, sharedKubeconfig } from '../support/kube.ts';
import { BATCH_ACCOUNT, installApi } from '../support/product.ts';
import { createDeployment } from '../support/scenario.ts';

let client: KubeClient;
let proxy: FaultProxy;
let folder: string;
let namespace: string;
let batchProcess: BatchProcess;

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  namespace = await createNamespace(client, 'replica-time');
  proxy = await startFaultProxy({ upstream: sharedKubeconfig(), impersonate: BATCH_ACCOUNT });
  folder = await mkdtemp(join(tmpdir(), 'infer-replica-time-'));
}, 120_000);

afterAll(async () => {
  await batchProcess.end('SIGKILL');
  await proxy.stop();
  await rm(folder, { recursive: true });
  await client.close();
}, 30_000);

test('from its start, and to the end of a deployment', async () => {
  const { metadata } = await createDeployment(client, namespace);
  const asOf = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 600_000).toISOString();
  const usage = { replicaSeconds: 50, gpuSeconds: 100, asOf, replicasSince: 1, running: [{ uid: 'a', gpus: 2 }] };
  const cost = { currency: 'EUR', perHour: '6.00', perGpuHour: '3.00' };
  const options = { type: 'merge', subresource: 'status' } as const;
  await client.patch(inferenceDeployments, metadata, { status: { usage, cost } }, options);
  batchProcess = BatchProcess.start(proxy.kubeconfig, folder);
  await batchProcess.serving();

  const { forClients } = await createStores({ kind: 'folder', folder });
  const records = new ReplicaTimeRecords(forClients, new MemoryLogger());
  const kept = async (count: number) =>
    await eventually(async () => {
      const now = Date.now() / 1_000;
      const snapshots = await records.read(namespace, now - 86_400, now);
      expect(snapshots).toHaveLength(count);
      return snapshots;
    }, 30_000);
  const [first] = await kept(1);
  expect(first).toMatchObject({ uid: metadata.uid, deployment: 'chat' });
  expect(first?.replicaSeconds).toBeGreaterThanOrEqual(650);
  expect(first?.gpuSeconds).toBe(2 * (first?.replicaSeconds ?? 0));
  expect(first?.cost['EUR']).toBeCloseTo(((first?.gpuSeconds ?? 0) / 3_600) * 3);

  // Later than the first by a second, so that there is something to keep.
  await eventually(() => expect(Date.now() / 1_000).toBeGreaterThan((first?.at ?? 0) + 1), 5_000);
  await client.delete(inferenceDeployments, metadata);
  const last = (await kept(2)).at(-1);
  expect(last?.replicaSeconds).toBeGreaterThan(first?.replicaSeconds ?? 0);
}, 90_000);
