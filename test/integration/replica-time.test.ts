/** The time and price of replicas in the status, with the operator killed at the wrong moments. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeploymentStatus } from '../../src/api/generated/inference-deployment.ts';
import type { Pod } from '../../src/api/kubernetes.ts';
import { hardwareProfiles, inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { servingStatus, type FakeKubelet } from '../support/fake-kubelet.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { hardwareProfile } from '../support/resources.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

const PROFILE = 'gpu.usage';
/** The schedule is of the past, so that its sums do not depend on how long the test takes. Unix seconds. */
const START = Math.floor(Date.now() / 1_000) - 3_600;

let client: KubeClient;
let proxy: FaultProxy;
let kubelet: FakeKubelet;
let namespace: string;
let operator: OperatorProcess;
/** When pods that are given a node from now on get it, in seconds after the start. */
let scheduledAt = 0;
const since = new Map<string, number>();
/** When replicas ended, by UID of the pod. */
const ended = new Map<string, number>();

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('usage'));
  kubelet.become(statusOf);
  const profile = hardwareProfile({
    accelerator: { resource: 'example.com/gpu', count: 2, memoryGiB: 80 },
    price: { currency: 'EUR', perGpuHour: '1.50' },
  });
  profile.metadata.name = PROFILE;
  await client.apply(hardwareProfiles, profile, { fieldManager: 'test', force: true });
  operator = startOperator();
}, 60_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

/** Of the same name each time, so that it need not wait for the end of a lease. */
function startOperator(): OperatorProcess {
  return OperatorProcess.start({
    kubeconfig: proxy.kubeconfig,
    environment: { INFER_WATCH_NAMESPACE: namespace },
  });
}

function at(seconds: number): string {
  return new Date((START + seconds) * 1_000).toISOString().replace('.000Z', 'Z');
}

function statusOf(pod: Pod): NonNullable<Pod['status']> {
  const { uid = '' } = pod.metadata;
  if (!since.has(uid)) since.set(uid, scheduledAt);
  const conditions = (servingStatus().conditions ?? []).map((condition) => ({
    ...condition,
    lastTransitionTime: at(since.get(uid) ?? 0),
  }));
  const end = ended.get(uid);
  if (end === undefined) return { phase: 'Running', conditions };
  const terminated = { exitCode: 1, reason: 'Error', finishedAt: at(end) };
  const container = { name: 'engine', image: 'vllm', imageID: '', ready: false, restartCount: 0 };
  return { phase: 'Failed', conditions, containerStatuses: [{ ...container, state: { terminated } }] };
}

async function replicas(): Promise<string[]> {
  const { items } = await client.list(pods, { namespace, labelSelector: 'infer.dev/deployment=chat' });
  return items.filter(({ metadata }) => !ended.has(metadata.uid ?? '')).map(({ metadata }) => metadata.uid ?? '');
}

async function status(): Promise<InferenceDeploymentStatus> {
  return (await client.get(inferenceDeployments, { namespace, name: 'chat' }))?.status ?? {};
}

/** Waits until two replicas of the deployment serve, the one from `seconds` on among them, as the status has it. */
async function counted(seconds: number): Promise<NonNullable<InferenceDeploymentStatus['usage']>> {
  return await eventually(async () => {
    const { replicas: shown, usage } = await status();
    const newest = (usage?.running ?? []).map(({ uid }) => since.get(uid));
    expect([shown?.ready, usage?.replicasSince, Math.max(...newest.map((one) => one ?? -1))]).toEqual([2, 2, seconds]);
    if (usage === undefined) throw new Error('nothing is counted yet');
    return usage;
  }, 30_000);
}

describe('with two replicas of two GPUs each', () => {
  test('time and cost begin with the place of a replica', async () => {
    await createDeployment(client, namespace, 'chat', { hardwareProfile: PROFILE, minReplicas: 2 });
    await readyReason(client, namespace, 'Serving');
    const usage = await counted(0);
    expect(usage).toMatchObject({ replicaSeconds: 0, gpuSeconds: 0, asOf: at(0) });
    expect(usage.running?.map(({ gpus }) => gpus)).toEqual([2, 2]);
    const { cost, replicas: shown } = await status();
    expect(cost).toEqual({ currency: 'EUR', perHour: '6.00', perGpuHour: '1.50' });
    expect(shown?.pods?.map(({ readiness, since: from }) => [readiness, from])).toEqual([
      ['Ready', at(0)],
      ['Ready', at(0)],
    ]);
    const gpuSeconds = (await operator.metric('infer_deployment_gpu_seconds_total', { namespace, name: 'chat' })) ?? 0;
    const passed = Date.now() / 1_000 - START;
    expect(Math.abs(gpuSeconds - 4 * passed)).toBeLessThan(30);
    // By the operator's cache, which may be behind.
    await eventually(async () => {
      expect(await operator.metric('infer_deployment_cost_per_hour', { namespace, name: 'chat' })).toBe(6);
    });
  }, 60_000);

  test('an end, and the start of another, are counted by an operator that saw neither', async () => {
    await operator.end('SIGKILL');
    const [first = ''] = await replicas();
    scheduledAt = 400;
    ended.set(first, 300);
    kubelet.become(statusOf);
    await eventually(async () => expect((await replicas()).some((uid) => since.get(uid) === 400)).toBe(true), 30_000);
    operator = startOperator();
    // One of them for 300 s and one for 400.
    expect(await counted(400)).toMatchObject({ replicaSeconds: 700, gpuSeconds: 1_400, asOf: at(400) });
  }, 60_000);

  test('the next operator counts nothing twice, and nothing is written while the replicas stay', async () => {
    const before = (await status()).usage;
    await operator.end('SIGKILL');
    proxy.reset();
    operator = startOperator();
    await operator.reconciling(30_000);
    await eventually(async () => {
      expect(await operator.passes()).toBeGreaterThan(0);
      const seconds = await operator.metric('infer_deployment_replica_seconds_total', { namespace, name: 'chat' });
      expect(seconds).toBeGreaterThan(700);
    }, 30_000);
    expect((await status()).usage).toEqual(before);
    expect(proxy.writes({ namespace }).filter(({ resource }) => resource.startsWith('inferencedeployments'))).toEqual(
      [],
    );
  }, 60_000);

  test('one that vanished while none watched is counted until the last one would have seen it', async () => {
    const before = (await status()).usage;
    await operator.end('SIGKILL');
    const killedAt = Date.now() / 1_000;
    const gone = (await replicas()).find((uid) => since.get(uid) === 400);
    const { items } = await client.list(pods, { namespace, labelSelector: 'infer.dev/deployment=chat' });
    const pod = items.find(({ metadata }) => metadata.uid === gone);
    scheduledAt = 500;
    await client.delete(pods, pod?.metadata ?? { name: '' });
    await eventually(async () => expect((await replicas()).some((uid) => since.get(uid) === 500)).toBe(true), 30_000);
    operator = startOperator();
    const usage = await counted(500);
    const asOf = Date.parse(usage.asOf ?? '') / 1_000;
    expect(killedAt - asOf).toBeGreaterThan(-2);
    expect(killedAt - asOf).toBeLessThan(20);
    // Two from 400 on until then, and the newest from 500 on.
    const after = (from: number): number => asOf - START - from;
    expect(usage.replicaSeconds).toBe((before?.replicaSeconds ?? 0) + 2 * after(400) + after(500));
    expect(usage.gpuSeconds).toBe(2 * (usage.replicaSeconds ?? 0));
  }, 60_000);
});
