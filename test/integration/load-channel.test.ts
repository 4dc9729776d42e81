/**
 * Operator and gateways as processes with their shipped rights and tokens of a real API server, over the load channel.
 * Pods of gateways and replicas are objects only: the test runs the processes and writes the EndpointSlices.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Pod } from '../../src/api/kubernetes.ts';
import { deployments, inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { Detail } from '../../src/gateway/view/shapes.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { createApiKey } from '../support/api-key.ts';
import { ownAddress, writeEndpoints, type TestReplica } from '../support/endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import {
  createAccounts,
  isServed,
  removePod,
  startGatewayInPod,
  terminate,
  type GatewayInPod,
} from '../support/process-pods.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { denied } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { GATEWAY_ACCOUNT, installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';

let client: KubeClient;
let operatorProxy: FaultProxy;
let gatewayProxy: FaultProxy;
let operator: OperatorProcess;
let gateways: [GatewayInPod, GatewayInPod];
let kubelet: FakeKubelet;
let engine: SimulatorProcess;
let enginePort: number;
let channelPort: number;
let namespace: string;
let key: string;
let pageKey: string;
/** Of a session of that key. */
let cookie: string;

beforeAll(async () => {
  const kubeconfig = sharedKubeconfig();
  client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(client);
  namespace = await createNamespace(client, 'channel');
  key = await createApiKey(client, namespace, 'web');
  pageKey = await createApiKey(client, namespace, 'page', { scopes: ['view'] });
  const models = ['served', 'drained', 'silent', 'nobody'];
  // 33 tokens a second, so that a stream of 200 lasts for six seconds: longer than any report takes.
  engine = spawnSimulator(['--model', 'org/model', '--served-model-name', ...models, '--host', ownAddress()], {
    SIM_STEP_MS: '30',
  });
  enginePort = Number(new URL(await engine.ready()).port);
  [channelPort = 0] = await freePorts(1, '127.0.0.1');
  [operatorProxy, gatewayProxy] = await Promise.all([
    startFaultProxy({ upstream: kubeconfig, impersonate: OPERATOR_ACCOUNT }),
    startFaultProxy({ upstream: kubeconfig, impersonate: GATEWAY_ACCOUNT }),
  ]);
  kubelet = new FakeKubelet(client, servingStatus, namespace);
  operator = startOperator('operator-1');
  gateways = [await startGateway('gateway-1', '127.0.1.1'), await startGateway('gateway-2', '127.0.1.2')];
  await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 60_000);
}, 180_000);

afterAll(async () => {
  await Promise.all([operator.end(), ...gateways.map(({ process }) => process.end('SIGKILL'))]);
  for (const { name } of gateways) await removePod(client, name);
  engine.child.kill('SIGKILL');
  await engine.ended;
  await kubelet.stop();
  await operatorProxy.stop();
  await gatewayProxy.stop();
  await client.close();
}, 60_000);

function startOperator(identity: string): OperatorProcess {
  const environment = { INFER_CHANNEL_PORT: String(channelPort) };
  return OperatorProcess.start({ kubeconfig: operatorProxy.kubeconfig, identity, environment });
}

async function startGateway(name: string, ip: string): Promise<GatewayInPod> {
  const environment = { INFER_CHANNEL_PORT: String(channelPort), INFER_LEAVE_SECONDS: '1' };
  return await startGatewayInPod(client, { kubeconfig: gatewayProxy.kubeconfig, name, ip, environment });
}

/** A deployment as a gateway shows it. */
async function shown({ url }: GatewayInPod, model: string): Promise<Detail> {
  const headers = { authorization: `Bearer ${pageKey}` };
  return (await (await fetch(`${url}/v1/deployments/${model}`, { headers })).json()) as Detail;
}

async function sessionAt({ url }: GatewayInPod): Promise<number> {
  return (await fetch(`${url}/session`, { headers: { cookie, 'x-infer-page': '1' } })).status;
}

/** Sends a chat request through a gateway. */
function ask({ url }: GatewayInPod, model: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, max_tokens: 2, messages: [{ role: 'user', content: 'Hi' }], ...body }),
    ...(signal && { signal }),
  });
}

/** Begins a stream and returns, once its first bytes came, how to read it to its end. */
async function stream(gateway: GatewayInPod, model: string, tokens: number): Promise<() => Promise<string>> {
  const response = await ask(gateway, model, { stream: true, max_tokens: tokens, ignore_eos: true });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!response.ok || reader === undefined) throw new Error(`the stream did not begin: ${response.status}`);
  let text = (await reader.read()).value ?? '';
  return async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += value;
    }
  };
}

/** A deployment whose replicas serve at the one engine. */
async function served(
  name: string,
  spec: { minReplicas: number; drainTimeoutSeconds?: number },
): Promise<{
  resource: InferenceDeployment;
  podUids: string[];
}> {
  const resource = await createDeployment(client, namespace, name, spec);
  await eventually(async () => {
    const { status } = await readyReason(client, namespace, 'Serving', name);
    expect(status?.replicas?.ready).toBe(spec.minReplicas);
  }, 60_000);
  const podUids = (await livePods(name)).map(({ metadata }) => metadata.uid ?? '');
  await writeEndpoints(client, resource, podUids.map(endpoint));
  for (const gateway of gateways) {
    await eventually(async () => expect((await ask(gateway, name)).status).toBe(200), 30_000);
  }
  return { resource, podUids };
}

function endpoint(podUid: string): TestReplica {
  return { podUid, port: enginePort };
}

async function livePods(name: string): Promise<Pod[]> {
  const { items } = await client.list(pods, { namespace, labelSelector: `infer.dev/deployment=${name}` });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function state(name: string): Promise<{ count: number | undefined; draining: string[] }> {
  const resource = await client.get(inferenceDeployments, { namespace, name });
  const child = await client.get(deployments, { namespace, name: `infer-${name}` });
  return { count: child?.spec.replicas, draining: resource?.status?.replicas?.drainingPods ?? [] };
}

async function scaleTo(name: string, minReplicas: number): Promise<void> {
  await client.patch(inferenceDeployments, { namespace, name }, { spec: { minReplicas } }, { type: 'merge' });
}

/** As the operator counts them over all gateways. */
async function inFlight(name: string): Promise<number | undefined> {
  return await operator.metric('infer_deployment_requests_in_flight', { namespace, name });
}

describe('the leader', () => {
  test('shows the rate and the latency that both gateways measured, and that they came to rest', async () => {
    await served('served', { minReplicas: 1 });
    await Promise.all(
      gateways.flatMap((gateway) =>
        Array.from({ length: 60 }, async () => await (await ask(gateway, 'served')).text()),
      ),
    );
    const scaling = await eventually(async () => {
      const resource = await client.get(inferenceDeployments, { namespace, name: 'served' });
      // Two a second over the minute, of which one gateway alone would make one. Status follows by steps of a tenth.
      expect(Number(resource?.status?.scaling?.requestsPerSecond)).toBeGreaterThan(1.5);
      return resource?.status?.scaling;
    }, 60_000);
    expect(scaling?.latencyP95Ms).toBeGreaterThan(0);
    await eventually(async () => {
      const resource = await client.get(inferenceDeployments, { namespace, name: 'served' });
      expect(resource?.status?.scaling).toMatchObject({ requestsPerSecond: '0' });
      expect(resource?.status?.scaling?.latencyP95Ms).toBeUndefined();
    }, 120_000);
  }, 240_000);

  test('tells each gateway what the other one saw, and has them open each other’s sessions', async () => {
    const [first, second] = gateways;
    const ending = await stream(first, 'served', 300);
    await eventually(async () => {
      const { live } = await shown(second, 'served');
      expect(live).toMatchObject({ in_flight: 1, queued: 0, replicas_ready: 1 });
      expect(Math.abs((live?.time ?? 0) - Date.now() / 1000)).toBeLessThan(5);
    });
    // The engine, which the first gateway asks, is heard of at the second.
    await eventually(async () => expect((await shown(second, 'served')).live?.kv_cache_usage).not.toBeNull());
    expect(await ending()).toMatch(/\[DONE\]\s*$/);
    await eventually(async () => expect((await shown(second, 'served')).live?.latency_p95_ms).toBeGreaterThan(5_000));
    const signedIn = await fetch(`${first.url}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-infer-page': '1' },
      body: JSON.stringify({ key: pageKey }),
    });
    expect(signedIn.status).toBe(204);
    cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    await eventually(async () => expect(await sessionAt(second)).toBe(200));
  }, 60_000);

  test('hears at once of a request that waits where no replica serves, and that its client left', async () => {
    await createDeployment(client, namespace, 'nobody');
    await isServed([gateways[1]], key, 'nobody');
    const leaves = new AbortController();
    const answer = ask(gateways[1], 'nobody', {}, leaves.signal).catch(() => 'left');
    await eventually(async () =>
      expect(await operator.metric('infer_deployment_requests_held', { namespace, name: 'nobody' })).toBe(1),
    );
    leaves.abort();
    expect(await answer).toBe('left');
    await eventually(async () =>
      expect(await operator.metric('infer_deployment_requests_held', { namespace, name: 'nobody' })).toBe(0),
    );
  }, 60_000);
});

describe('a scale-down', () => {
  test('takes one replica, by the word of every gateway, after its last request', async () => {
    const { resource, podUids } = await served('drained', { minReplicas: 3 });
    // One request on each replica, so that the one that is taken has something to finish.
    const [first, second] = gateways;
    const endings = await Promise.all([1, 2, 3].map(async () => await stream(first, 'drained', 600)));
    await eventually(async () => expect(await inFlight('drained')).toBe(3));
    await scaleTo('drained', 2);
    const { draining } = await eventually(async () => {
      const now = await state('drained');
      expect(now).toEqual({ count: 3, draining: [expect.any(String)] });
      return now;
    });
    const [victim = ''] = draining;
    expect(podUids).toContain(victim);
    // While its request lasts nothing is removed, and what comes goes to the others.
    expect((await ask(second, 'drained')).status).toBe(200);
    expect(await state('drained')).toEqual({ count: 3, draining: [victim] });
    for (const text of await Promise.all(endings.map((ending) => ending()))) expect(text).toMatch(/\[DONE\]\s*$/);
    await eventually(async () => expect((await state('drained')).count).toBe(2), 30_000);
    await eventually(async () => {
      const left = (await livePods('drained')).map(({ metadata }) => metadata.uid);
      expect(new Set(left)).toEqual(new Set(podUids.filter((uid) => uid !== victim)));
    }, 30_000);
    await writeEndpoints(client, resource, podUids.filter((uid) => uid !== victim).map(endpoint));
    await eventually(async () => expect((await state('drained')).draining).toEqual([]));
  }, 180_000);

  test('takes its mark back when it is no longer wanted', async () => {
    const endings = await Promise.all([1, 2].map(async () => await stream(gateways[0], 'drained', 300)));
    await scaleTo('drained', 1);
    await eventually(async () => expect((await state('drained')).draining).toHaveLength(1));
    await scaleTo('drained', 2);
    await eventually(async () => expect(await state('drained')).toEqual({ count: 2, draining: [] }));
    await Promise.all(endings.map((ending) => ending()));
    expect(await livePods('drained')).toHaveLength(2);
  }, 120_000);

  test('waits for a gateway that says nothing, and no longer than the drain timeout', async () => {
    await served('silent', { minReplicas: 2, drainTimeoutSeconds: 15 });
    gateways[1].process.signal('SIGSTOP');
    try {
      await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(1), 30_000);
      const startedAt = Date.now();
      await scaleTo('silent', 1);
      await eventually(async () => expect((await state('silent')).draining).toHaveLength(1));
      await eventually(async () => expect((await state('silent')).count).toBe(1), 60_000);
      // Timers do not run early; how late they run is the machine's affair.
      expect(Date.now() - startedAt).toBeGreaterThan(14_000);
    } finally {
      gateways[1].process.signal('SIGCONT');
    }
    await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 60_000);
  }, 180_000);
});

describe('who is heard', () => {
  test('a gateway that leaves, until it has gone', async () => {
    await terminate(client, 'gateway-2');
    // The first lasts longer than it takes the operator to connect again to one that was stopped.
    const first = await stream(gateways[1], 'drained', 400);
    const second = await stream(gateways[1], 'drained', 600);
    await eventually(async () => expect(await inFlight('drained')).toBe(2));
    gateways[1].process.signal('SIGTERM');
    expect(await first()).toMatch(/\[DONE\]\s*$/);
    await eventually(async () => expect(await inFlight('drained')).toBe(1), 5_000);
    expect(await second()).toMatch(/\[DONE\]\s*$/);
    expect(await gateways[1].process.exit).toBe(0);
    await removePod(client, 'gateway-2');
    await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(1));
    gateways[1] = await startGateway('gateway-2', '127.0.1.2');
    await eventually(async () => expect(await operator.metric('infer_channel_gateways')).toBe(2), 60_000);
    // One that starts opens what others sealed before.
    await eventually(async () => expect(await sessionAt(gateways[1])).toBe(200));
  }, 180_000);

  test('by the operator that takes over when the leader dies', async () => {
    const second = startOperator('operator-2');
    await operator.end('SIGKILL');
    operator = second;
    await eventually(async () => expect(await second.metric('infer_channel_gateways')).toBe(2), 90_000);
    const ending = await stream(gateways[0], 'served', 400);
    await eventually(async () => expect((await shown(gateways[1], 'served')).live?.in_flight).toBe(1));
    await ending();
  }, 120_000);
});

test('neither process asked for what it may not have, and gateways wrote nothing', () => {
  for (const proxy of [operatorProxy, gatewayProxy]) {
    expect(denied(proxy, namespace)).toEqual([]);
  }
  const written = gatewayProxy.writes().filter(({ subresource }) => subresource !== 'token');
  expect(written).toEqual([]);
});

test('no token and no session stands in a log', () => {
  for (const { log } of [operator, ...gateways.map(({ process }) => process)]) {
    expect(log).not.toMatch(/eyJ[\w-]{10}/);
    expect(log).not.toContain(cookie.split('.')[2]);
  }
});
