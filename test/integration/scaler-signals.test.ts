/**
 * What the scaler is given to decide by: real gateways in front of a simulated engine, a real API server, and the
 * leader's end in the test itself, with the rights of the operator.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { TrafficSample } from '../../src/autoscaler/observation.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import { createCaches, type Caches } from '../../src/operator/caches.ts';
import { createChannelEnd, Gateways } from '../../src/operator/gateways.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { createApiKey } from '../support/api-key.ts';
import { ownAddress, writeEndpoints } from '../support/endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { createAccounts, removePod, startGatewayInPod, type GatewayInPod } from '../support/process-pods.ts';
import { clientOf, createNamespace, MemoryLogger, sharedKubeconfig } from '../support/kube.ts';
import { GATEWAY_ACCOUNT, installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { INSTALL } from '../support/resources.ts';
import { createDeployment } from '../support/scenario.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';

const GATEWAYS = [
  { name: 'signals-1', ip: '127.0.2.1' },
  { name: 'signals-2', ip: '127.0.2.2' },
];

let client: KubeClient;
let operatorClient: KubeClient;
let operatorProxy: FaultProxy;
let gatewayProxy: FaultProxy;
let caches: Caches;
let leader: Gateways;
let gateways: GatewayInPod[];
let engine: SimulatorProcess;
let uid: string;
let key: string;

beforeAll(async () => {
  const kubeconfig = sharedKubeconfig();
  client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(client);
  const namespace = await createNamespace(client, 'signals');
  key = await createApiKey(client, namespace, 'web');
  // One seat: what comes beside it waits in the engine.
  const flags = ['--model', 'org/model', '--served-model-name', 'chat', '--max-num-seqs', '1', '--host', ownAddress()];
  engine = spawnSimulator(flags);
  const port = Number(new URL(await engine.ready()).port);
  [operatorProxy, gatewayProxy] = await Promise.all([
    startFaultProxy({ upstream: kubeconfig, impersonate: OPERATOR_ACCOUNT }),
    startFaultProxy({ upstream: kubeconfig, impersonate: GATEWAY_ACCOUNT }),
  ]);
  const resource = await createDeployment(client, namespace, 'chat');
  uid = resource.metadata.uid ?? '';
  await writeEndpoints(client, resource, [{ podUid: 'pod-1', port }]);
  const [channelPort = 0] = await freePorts(1, '127.0.0.1');
  gateways = await Promise.all(
    GATEWAYS.map(async ({ name, ip }) => {
      const environment = { INFER_CHANNEL_PORT: String(channelPort) };
      return await startGatewayInPod(client, { kubeconfig: gatewayProxy.kubeconfig, name, ip, environment });
    }),
  );
  await lead(channelPort);
  // The first report of a gateway says where its counts begin: what it was asked before is in none.
  await eventually(() => expect(leader.takeSample(uid)).toBeDefined(), 60_000);
  for (const { url } of gateways) await eventually(async () => expect((await ask(url, 1)).status).toBe(200), 30_000);
}, 180_000);

afterAll(async () => {
  await leader.stop();
  await Promise.all(Object.values(caches).map((informer) => informer.stop()));
  await Promise.all(gateways.map(({ process: started }) => started.end('SIGKILL')));
  for (const { name } of GATEWAYS) await removePod(client, name);
  engine.child.kill('SIGKILL');
  await engine.ended;
  await operatorClient.close();
  await operatorProxy.stop();
  await gatewayProxy.stop();
  await client.close();
}, 60_000);

async function lead(channelPort: number): Promise<void> {
  operatorClient = clientOf(operatorProxy.kubeconfig);
  const logger = new MemoryLogger();
  caches = createCaches({
    client: operatorClient,
    watchNamespace: undefined,
    namespace: INSTALL.namespace,
    relistIntervalMs: 600_000,
    logger,
    metrics: new KubeMetrics({ registry: new Registry(), prefix: 'infer_' }),
  });
  const used = [caches.inferenceDeployments, caches.gatewayPods];
  for (const informer of used) informer.start();
  await Promise.all(used.map((informer) => informer.synced()));
  leader = new Gateways({
    caches,
    end: createChannelEnd(operatorClient, { namespace: INSTALL.namespace, pod: undefined }),
    port: channelPort,
    passes: { next: () => undefined, soon: () => undefined },
    onReport: () => undefined,
    logger,
    onFailure: () => undefined,
  });
  caches.gatewayPods.onChange((change) => leader.podChanged(change));
}

function ask(url: string, tokens: number, stream = false): Promise<Response> {
  const messages = [{ role: 'user', content: 'Tell me about the sea, the wind and the rain.' }];
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'chat', messages, max_tokens: tokens, ignore_eos: true, stream }),
  });
}

/** Reads as the scaler does, until a reading is as wanted. */
async function sampleUntil(check: (sample: TrafficSample | undefined) => void): Promise<void> {
  await eventually(() => check(leader.takeSample(uid)), 60_000, 500);
}

test('the leader is given traffic of both gateways, and what the engine did', async () => {
  let arrivals = 0;
  // Those that the gateways were waited for with.
  await sampleUntil((sample) => {
    arrivals += sample?.arrivals ?? 0;
    expect(arrivals).toBe(GATEWAYS.length);
  });
  arrivals = 0;
  // At about 120 tokens a second, so that both last for longer than two readings are apart.
  const answers = await Promise.all(gateways.map(({ url }) => ask(url, 3_000, true)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  await sampleUntil((sample) => {
    arrivals += sample?.arrivals ?? 0;
    expect(sample).toMatchObject({ inFlight: 2, held: 0 });
    expect([...(sample?.ages.values() ?? [])].reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(sample?.engines).toEqual([
      {
        podUid: 'pod-1',
        running: 1,
        waiting: 1,
        kvCacheUsage: expect.any(Number),
        promptTokens: expect.any(Number),
        generatedTokens: expect.any(Number),
        intervalMs: expect.any(Number),
      },
    ]);
    const { generatedTokens = 0, intervalMs = 0, kvCacheUsage = 0 } = sample?.engines[0] ?? {};
    expect(generatedTokens / (intervalMs / 1_000)).toBeGreaterThan(50);
    expect(generatedTokens / (intervalMs / 1_000)).toBeLessThan(150);
    expect(kvCacheUsage).toBeGreaterThan(0);
    expect(kvCacheUsage).toBeLessThan(1);
  });
  expect(arrivals).toBe(2);
  expect(leader.active()).toEqual([uid]);
  for (const { body } of answers) await body?.cancel();
  await sampleUntil((sample) => {
    expect(sample).toMatchObject({ inFlight: 0, held: 0, arrivals: 0, engines: [] });
  });
  await eventually(() => expect(leader.active()).toEqual([]), 30_000);
}, 120_000);

test('a gateway that was killed makes the traffic unknown, until its pod has gone', async () => {
  const [first, second] = gateways;
  if (first === undefined || second === undefined) throw new Error('There are no two gateways.');
  second.process.signal('SIGKILL');
  await second.process.exit;
  await sampleUntil((sample) => expect(sample).toBeUndefined());
  expect((await ask(first.url, 1)).status).toBe(200);
  expect(leader.takeSample(uid)).toBeUndefined();
  await removePod(client, GATEWAYS[1]?.name ?? '');
  // What the other counted meanwhile is not lost.
  let arrivals = 0;
  await sampleUntil((sample) => {
    arrivals += sample?.arrivals ?? 0;
    expect(sample).toMatchObject({ inFlight: 0 });
    expect(arrivals).toBe(1);
  });
}, 120_000);
