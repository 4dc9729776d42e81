/**
 * Operator and gateways as processes, and a simulated engine for each replica: what becomes of load, of a request at zero,
 * and of others who write the count.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Deployment } from '../../src/api/kubernetes.ts';
import { deployments, inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { events } from '../../src/kube/events.ts';
import { Informer } from '../../src/kube/informer.ts';
import { ownersOf } from '../../src/kube/managed-fields.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { startFaultProxy, type FaultProxy, type RecordedRequest } from '../faults/proxy.ts';
import { startLoad, type RunningLoad } from '../load/load.ts';
import { createApiKey } from '../support/api-key.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus, unschedulableStatus } from '../support/fake-kubelet.ts';
import { createAccounts, isServed, removePod, startGatewayInPod, type GatewayInPod } from '../support/process-pods.ts';
import { clientOf, createNamespace, MemoryLogger, sharedKubeconfig } from '../support/kube.ts';
import { denied } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { GATEWAY_ACCOUNT, installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { ReplicaEngines } from '../support/replica-engines.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

/** Two requests at a time, of 16 tokens in a third of a second: six a second. */
const ENGINE = {
  arguments: ['--max-num-seqs', '2', '--shutdown-timeout', '30'],
  environment: { SIM_STEP_MS: '20', SIM_STEP_US_PER_CONTEXT_TOKEN: '0' },
};
const TOKENS = 16;

let client: KubeClient;
let operatorProxy: FaultProxy;
let gatewayProxy: FaultProxy;
let operator: OperatorProcess;
let gateways: [GatewayInPod, GatewayInPod];
let kubelet: FakeKubelet;
let engines: ReplicaEngines;
let channelPort: number;
let namespace: string;
let key: string;
/** Every number of replicas that was decided on, in order, by deployment. */
const decided = new Map<string, number[]>();
const loads: RunningLoad[] = [];
let resources: Informer<InferenceDeployment>;

beforeAll(async () => {
  const kubeconfig = sharedKubeconfig();
  client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(client);
  namespace = await createNamespace(client, 'scaling');
  key = await createApiKey(client, namespace, 'web');
  [channelPort = 0] = await freePorts(1, '127.0.0.1');
  [operatorProxy, gatewayProxy] = await Promise.all([
    startFaultProxy({ upstream: kubeconfig, impersonate: OPERATOR_ACCOUNT }),
    startFaultProxy({ upstream: kubeconfig, impersonate: GATEWAY_ACCOUNT }),
  ]);
  kubelet = new FakeKubelet(client, servingStatus, namespace);
  engines = new ReplicaEngines(client, namespace, ENGINE);
  resources = new Informer({
    client,
    resource: inferenceDeployments,
    namespace,
    decode: (object) => object,
    logger: new MemoryLogger(),
  });
  resources.onChange(({ object: { metadata, status } }) => {
    const counts = decided.get(metadata.name) ?? [];
    decided.set(metadata.name, counts);
    const count = status?.scaling?.desiredReplicas;
    if (count !== undefined && counts.at(-1) !== count) counts.push(count);
  });
  resources.start();
  operator = startOperator('operator-1');
  gateways = [await startGateway('scaling-1', '127.0.2.1'), await startGateway('scaling-2', '127.0.2.2')];
  await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 60_000);
}, 180_000);

afterAll(async () => {
  await Promise.all([operator.end(), ...gateways.map(({ process }) => process.end('SIGKILL'))]);
  for (const { name } of gateways) await removePod(client, name);
  await resources.stop();
  await engines.stop();
  await kubelet.stop();
  await operatorProxy.stop();
  await gatewayProxy.stop();
  await client.close();
}, 60_000);

// Also of a test that failed.
afterEach(async () => {
  await Promise.all(loads.splice(0).map(async (one) => await one.stop()));
});

function startOperator(identity: string): OperatorProcess {
  const environment = { INFER_CHANNEL_PORT: String(channelPort) };
  return OperatorProcess.start({ kubeconfig: operatorProxy.kubeconfig, identity, environment });
}

async function startGateway(name: string, ip: string): Promise<GatewayInPod> {
  const environment = { INFER_CHANNEL_PORT: String(channelPort), INFER_LEAVE_SECONDS: '1' };
  return await startGatewayInPod(client, { kubeconfig: gatewayProxy.kubeconfig, name, ip, environment });
}

function load(model: string, rate: number): RunningLoad {
  const baseUrl = `${gateways[0].url}/v1`;
  const running = startLoad({ baseUrl, key, model, rate, streamShare: 0.5, maxTokens: TOKENS, seed: 1 });
  loads.push(running);
  return running;
}

async function ask(model: string): Promise<number> {
  const response = await fetch(`${gateways[0].url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, max_tokens: 2, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  await response.arrayBuffer();
  return response.status;
}

async function resourceOf(name: string): Promise<InferenceDeployment> {
  const resource = await client.get(inferenceDeployments, { namespace, name });
  if (resource === undefined) throw new Error(`there is no ${name}`);
  return resource;
}

async function childOf(name: string): Promise<Deployment> {
  const child = await client.get(deployments, { namespace, name: `infer-${name}` });
  if (child === undefined) throw new Error(`there is no Deployment of ${name}`);
  return child;
}

async function condition(name: string, type: string): Promise<string> {
  const found = (await resourceOf(name)).status?.conditions?.find((candidate) => candidate.type === type);
  return `${found?.status}/${found?.reason}`;
}

describe('at zero', () => {
  const scaling = { targetRps: 50, idleSeconds: 10, stabilizationWindowSeconds: 5 };

  test('a hundred requests at once wake it once, within a second, and are served when a replica is ready', async () => {
    kubelet.become((pod) =>
      pod.metadata.labels?.['infer.dev/deployment'] === 'waker' ? { phase: 'Pending' } : servingStatus(pod),
    );
    await createDeployment(client, namespace, 'waker', { minReplicas: 0, maxReplicas: 3, scaling });
    await readyReason(client, namespace, 'ScaledToZero', 'waker');
    await isServed(gateways, key, 'waker');
    operatorProxy.reset();
    const askedAt = performance.now();
    const answers = Array.from({ length: 100 }, async () => ({ status: await ask('waker'), at: performance.now() }));
    const raises = (): RecordedRequest[] =>
      operatorProxy
        .writes({ resource: 'deployments', name: 'infer-waker' })
        // One that came between another's write and its own knowing of it is refused, and tried again.
        .filter(({ query, status = 0 }) => query.includes('fieldManager=infer-scaler') && status === 200);
    await eventually(() => expect(raises()).toHaveLength(1), 5_000, 10);
    expect((raises()[0]?.atMs ?? Infinity) - askedAt).toBeLessThan(1_000);
    await readyReason(client, namespace, 'Waking', 'waker');
    expect(raises().map(({ body = '' }) => JSON.parse(body).spec.replicas)).toEqual([1]);
    kubelet.become(servingStatus);
    const ended = await Promise.all(answers);
    expect(ended.filter(({ status }) => status !== 200)).toEqual([]);
    const first = Math.min(...ended.map(({ at }) => at));
    expect(first - (engines.readyAt.get('waker') ?? 0)).toBeLessThan(500);
    await readyReason(client, namespace, 'Serving', 'waker');
  }, 120_000);

  test('a request that comes when it goes back to zero is served all the same', async () => {
    await createDeployment(client, namespace, 'edge', {
      minReplicas: 0,
      maxReplicas: 1,
      scaling,
      drainTimeoutSeconds: 5,
    });
    await readyReason(client, namespace, 'ScaledToZero', 'edge');
    await isServed(gateways, key, 'edge');
    for (let time = 0; time < 2; time += 1) {
      expect(await ask('edge')).toBe(200);
      const count = decided.get('edge')?.length ?? 0;
      await eventually(
        () => {
          expect(decided.get('edge')?.slice(count - 1)).toContain(0);
          expect(decided.get('edge')?.at(-1)).toBe(0);
        },
        60_000,
        5,
      );
      // At once, and through the time in which the replica goes.
      for (let request = 0; request < 20; request += 1) expect(await ask('edge')).toBe(200);
    }
    expect(decided.get('edge')?.slice(0, 4)).toEqual([0, 1, 0, 1]);
  }, 180_000);
});

describe('under load', () => {
  test('the count follows the rate; a restart of the operator and of a gateway changes no decision', async () => {
    // A maximum that it reaches: on the way up a rate that grows is expected to grow on for a while.
    await createDeployment(client, namespace, 'loaded', {
      maxReplicas: 3,
      scaling: { targetRps: 5, targetLatencyP95Ms: 800, stabilizationWindowSeconds: 10 },
    });
    await readyReason(client, namespace, 'Serving', 'loaded');
    await isServed(gateways, key, 'loaded');
    const running = load('loaded', 14);
    await eventually(async () => expect((await resourceOf('loaded')).status?.replicas?.ready).toBe(3), 90_000);
    const before = decided.get('loaded')?.length ?? 0;
    await operator.end('SIGKILL');
    operator = startOperator('operator-2');
    await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 90_000);
    const second = gateways[1];
    second.process.signal('SIGTERM');
    await second.process.exit;
    await removePod(client, second.name);
    gateways[1] = await startGateway('scaling-2', '127.0.2.2');
    // A whole stabilisation window in which the count could have gone down.
    await delay(20_000);
    expect(decided.get('loaded')?.slice(before - 1)).toEqual([3]);
    const report = await running.stop();
    expect({ failed: report.failed, cut: report.cut, examples: report.examples }).toEqual({
      failed: 0,
      cut: 0,
      examples: [],
    });
    // By what is counted: a read of the resource may be ahead of it.
    await eventually(() => expect(decided.get('loaded')?.at(-1)).toBe(1), 120_000);
    const changes = (decided.get('loaded') ?? []).length - 1;
    // The Event of a change follows its status.
    await eventually(async () => {
      const { items } = await client.list(events, { namespace });
      const told = items.filter(({ regarding, reason }) => regarding.name === 'loaded' && reason.startsWith('Scaled'));
      expect(told).toHaveLength(changes);
    });
    expect((await resourceOf('loaded')).status?.scaling?.recent).toHaveLength(Math.min(5, changes));
  }, 300_000);

  test('where there is no GPU it says so, and does not climb', async () => {
    await createDeployment(client, namespace, 'full', {
      maxReplicas: 6,
      scaling: { targetRps: 5, targetLatencyP95Ms: 800 },
    });
    await readyReason(client, namespace, 'Serving', 'full');
    await isServed(gateways, key, 'full');
    const serves = new Set((await livePods('full')).map(({ metadata }) => metadata.uid));
    kubelet.become((pod) =>
      serves.has(pod.metadata.uid) || pod.metadata.labels?.['infer.dev/deployment'] !== 'full'
        ? servingStatus(pod)
        : unschedulableStatus('0/3 nodes are available: 3 Insufficient nvidia.com/gpu.'),
    );
    const running = load('full', 8);
    await eventually(async () => expect(await condition('full', 'ScalingLimited')).toBe('True/WaitingForGPU'), 90_000);
    const count = (await childOf('full')).spec.replicas;
    await delay(15_000);
    expect((await childOf('full')).spec.replicas).toBe(count);
    expect(count).toBeLessThan(6);
    const report = await running.stop();
    expect(report.failed).toBe(0);
    kubelet.become(servingStatus);
  }, 180_000);
});

async function livePods(name: string): Promise<{ metadata: { uid?: string } }[]> {
  const { items } = await client.list(pods, { namespace, labelSelector: `infer.dev/deployment=${name}` });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function isOurs(): Promise<void> {
  const live = await childOf('contested');
  expect([live.spec.replicas, ownersOf(live, ['spec', 'replicas'])]).toEqual([1, ['infer-scaler']]);
}

async function write(replicas: number, fieldManager: string): Promise<void> {
  await client.patch(
    deployments,
    { namespace, name: 'infer-contested' },
    { spec: { replicas } },
    { type: 'merge', fieldManager },
  );
}

describe('a count that somebody else writes', () => {
  test('is taken back twice, then left to them by name, and taken again when the spec changes', async () => {
    // No gateway knows its replicas, which have no endpoints here, so that none acknowledges a mark.
    await createDeployment(client, namespace, 'contested', { maxReplicas: 6, drainTimeoutSeconds: 1 });
    await readyReason(client, namespace, 'Serving', 'contested');
    await eventually(isOurs);
    for (const manager of ['kubectl', 'keda']) {
      await write(3, manager);
      // Two replicas leave on the way, each after its drain.
      await eventually(isOurs, 60_000);
    }
    await write(4, 'keda');
    await eventually(async () => expect(await condition('contested', 'ScalingActive')).toBe('False/ReplicasContested'));
    const told = (await resourceOf('contested')).status;
    expect(told?.conditions?.find(({ type }) => type === 'ScalingActive')?.message).toContain('keda');
    expect(told?.scaling).toMatchObject({ desiredReplicas: 4, reason: 'ReplicasContested' });
    // Whatever passes come: of the other's next write, and of the leader's successor.
    await write(5, 'keda');
    await eventually(async () => expect((await resourceOf('contested')).status?.replicas?.ready).toBe(5));
    await operator.end('SIGTERM');
    operatorProxy.reset();
    operator = startOperator('operator-3');
    await operator.reconciling();
    await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 60_000);
    await write(2, 'keda');
    await eventually(async () => expect((await resourceOf('contested')).status?.replicas?.ready).toBe(2), 30_000);
    expect(operatorProxy.writes({ resource: 'deployments', name: 'infer-contested' })).toEqual([]);

    // The count that there is counts as wanted at first, as at any new start.
    const body = { spec: { scaling: { stabilizationWindowSeconds: 10 } } };
    await client.patch(inferenceDeployments, { namespace, name: 'contested' }, body, { type: 'merge' });
    await eventually(async () => expect(await condition('contested', 'ScalingActive')).toBe('True/Active'));
    await eventually(isOurs, 60_000);
  }, 180_000);
});

test('without load nothing is written any more', async () => {
  await eventually(
    async () => {
      for (const name of ['loaded', 'contested']) expect((await resourceOf(name)).status?.replicas?.desired).toBe(1);
      for (const name of ['waker', 'edge']) expect((await resourceOf(name)).status?.replicas?.desired).toBe(0);
      const last = operatorProxy
        .writes({ namespace })
        .filter(({ resource }) => resource !== 'leases.coordination.k8s.io')
        .at(-1);
      // Four ticks of the scaler.
      expect(performance.now() - (last?.atMs ?? 0)).toBeGreaterThan(20_000);
    },
    400_000,
    500,
  );
}, 420_000);

test('neither process asked for what it may not have', () => {
  for (const proxy of [operatorProxy, gatewayProxy]) {
    expect(denied(proxy, namespace)).toEqual([]);
  }
});
