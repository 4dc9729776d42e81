/** The gateway process on a real API server, with the rights that it is installed with, in front of simulated engines. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Pod } from '../../src/api/kubernetes.ts';
import { apiKeys, endpointSlices, inferenceDeployments, pods, services } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { Resource } from '../../src/kube/types.ts';
import { replicaLabels } from '../../src/operator/resources/metadata.ts';
import { buildService } from '../../src/operator/resources/service.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { createApiKey } from '../support/api-key.ts';
import { ownAddress, writeEndpoints } from '../support/endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { servingStatus } from '../support/fake-kubelet.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { clientOf, createNamespace, MemoryLogger, sharedKubeconfig } from '../support/kube.ts';
import { GATEWAY_ACCOUNT, installApi } from '../support/product.ts';
import { createDeployment } from '../support/scenario.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';

const nodes: Resource = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

interface Engine {
  simulator: SimulatorProcess;
  port: number;
}

let client: KubeClient;
let proxy: FaultProxy;
let gateway: GatewayProcess;
let url: string;
let engines: [Engine, Engine];
let teamA: string;
let teamB: string;
let key: string;
let chat: InferenceDeployment;

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  [teamA, teamB] = [await createNamespace(client, 'gateway-a'), await createNamespace(client, 'gateway-b')];
  engines = await Promise.all([startEngine(), startEngine()]);
  chat = await createDeployment(client, teamA, 'chat');
  key = await createApiKey(client, teamA, 'web');
  await writeEndpoints(client, chat, [{ podUid: 'pod-1', port: engines[0].port }]);
  proxy = await startFaultProxy({ upstream: sharedKubeconfig(), impersonate: GATEWAY_ACCOUNT });
  gateway = GatewayProcess.start(proxy.kubeconfig);
  url = await gateway.serving();
  await eventually(async () => expect(await status()).toBe(200));
}, 120_000);

afterAll(async () => {
  await gateway.end();
  for (const { simulator } of engines) simulator.child.kill('SIGKILL');
  await Promise.all(engines.map(({ simulator }) => simulator.ended));
  await proxy.stop();
  await client.close();
}, 30_000);

/** Any name that a deployment may have is served. */
async function startEngine(): Promise<Engine> {
  const names = ['chat', 'real', 'gone', 'later'];
  const simulator = spawnSimulator(['--model', 'org/model', '--served-model-name', ...names, '--host', ownAddress()], {
    SIM_SPEED: '50',
  });
  return { simulator, port: Number(new URL(await simulator.ready()).port) };
}

async function complete(options: { key?: string; model?: string } = {}): Promise<Response> {
  return await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${options.key ?? key}` },
    body: JSON.stringify({
      model: options.model ?? 'chat',
      max_tokens: 4,
      messages: [{ role: 'user', content: 'Good morning' }],
    }),
  });
}

/** The status of a completion. */
async function status(options: { key?: string; model?: string } = {}): Promise<number> {
  const response = await complete(options);
  await response.arrayBuffer();
  return response.status;
}

/** How many requests each engine has answered so far. */
async function answered(): Promise<number[]> {
  return await Promise.all(
    engines.map(async ({ port }) => {
      const text = await (await fetch(`http://${ownAddress()}:${port}/metrics`)).text();
      const counts = [...text.matchAll(/^vllm:request_success_total\{.*\} (\d+)/gm)].map(([, count]) => Number(count));
      return counts.reduce((sum, count) => sum + count, 0);
    }),
  );
}

/** How many requests each engine answered while `run` ran. */
async function answeredDuring(run: () => Promise<unknown>): Promise<number[]> {
  const before = await answered();
  await run();
  return (await answered()).map((count, at) => count - (before[at] ?? 0));
}

/** The statuses of so many, one after the other, that are not 200. */
async function failures(count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let sent = 0; sent < count; sent += 1) statuses.push(await status());
  return statuses.filter((code) => code !== 200);
}

/** Waits until requests get this status, and returns when, of performance.now(). */
async function until(wanted: number, options: { key: string }): Promise<number> {
  await eventually(async () => expect(await status(options)).toBe(wanted), 10_000, 10);
  return performance.now();
}

describe('a request', () => {
  test('is answered by a replica, under the name that the client sent', async () => {
    for (const model of ['chat', `${teamA}/chat`]) {
      const response = await complete({ model });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ model, usage: { completion_tokens: 4 } });
    }
  });

  test('without a key, or with one that is not known, is refused', async () => {
    const other = await createApiKey(client, teamB, 'mine');
    await eventually(async () => expect(await status({ key: other })).toBe(404));
    const changed = key.replace(/_(\w{43})_/, (_, secret: string) => `_${secret.slice(1)}0_`);
    for (const wrong of ['', 'sk-1', changed, key.slice(0, -1), other.replace('infer_', 'infer_0')]) {
      const response = await complete({ key: wrong });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    }
  });

  test('for a deployment of another namespace is answered as for one that does not exist', async () => {
    const foreign = await createApiKey(client, teamB, 'foreign');
    await eventually(async () => expect(await status({ key: foreign })).toBe(404));
    const answers = await Promise.all(
      ['chat', `${teamA}/chat`, 'nobody', `${teamA}/nobody`].map(async (model) => {
        const response = await complete({ key: foreign, model });
        const { error } = (await response.json()) as { error: { message: string; code: string } };
        return { status: response.status, ...error, message: error.message.replaceAll(model, 'MODEL') };
      }),
    );
    expect(answers[0]).toMatchObject({ status: 404, code: 'model_not_found' });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });
});

describe('a key', () => {
  test('is refused within a second of being disabled, over or deleted', async () => {
    const changes: ((name: string) => Promise<unknown>)[] = [
      async (name) =>
        await client.patch(apiKeys, { namespace: teamA, name }, { spec: { disabled: true } }, { type: 'merge' }),
      async (name) => {
        const spec = { expiresAt: '2020-01-01T00:00:00Z' };
        return await client.patch(apiKeys, { namespace: teamA, name }, { spec }, { type: 'merge' });
      },
      async (name) => await client.delete(apiKeys, { namespace: teamA, name }),
    ];
    // From when others are told of the change: what the API server takes for that is not the gateway's.
    const toldAt = new Map<string, number>();
    const options = { client, resource: apiKeys, namespace: teamA, logger: new MemoryLogger() };
    const told = new Informer({ ...options, decode: (object) => object });
    told.onChange(({ object: { metadata } }) => toldAt.set(metadata.name, performance.now()));
    told.start();
    try {
      for (const [index, change] of changes.entries()) {
        const name = `revoked-${index}`;
        const revoked = await createApiKey(client, teamA, name);
        await until(200, { key: revoked });
        await eventually(() => expect(toldAt.delete(name)).toBe(true));
        await change(name);
        const refusedAt = await until(401, { key: revoked });
        await eventually(() => expect(toldAt.has(name)).toBe(true));
        expect(refusedAt - (toldAt.get(name) ?? 0)).toBeLessThan(1_000);
      }
    } finally {
      await told.stop();
    }
  });

  test('for other deployments does not reach this one', async () => {
    const limited = await createApiKey(client, teamA, 'limited', { deployments: ['other'] });
    await eventually(async () => expect(await status({ key: limited })).toBe(404));
  });
});

describe('replicas', () => {
  test('that come get requests, and those that leave get none, while none fails', async () => {
    const [first, second] = [
      { podUid: 'pod-1', port: engines[0].port },
      { podUid: 'pod-2', port: engines[1].port },
    ];
    const failed: number[] = [];
    await writeEndpoints(client, chat, [first, second]);
    await eventually(async () => {
      const counts = await answeredDuring(async () => failed.push(...(await failures(4))));
      expect(counts).toEqual([2, 2]);
    });

    await writeEndpoints(client, chat, [{ ...first, terminating: true }, second]);
    await eventually(async () => {
      const counts = await answeredDuring(async () => failed.push(...(await failures(4))));
      expect(counts).toEqual([0, 4]);
    });

    await writeEndpoints(client, chat, [first]);
    await eventually(async () => {
      const counts = await answeredDuring(async () => failed.push(...(await failures(4))));
      expect(counts).toEqual([4, 0]);
    });
    expect(failed).toEqual([]);
  }, 60_000);

  test('are found in the slices that Kubernetes itself makes of the Service', async () => {
    const real = await createDeployment(client, teamA, 'real');
    await client.create(services, buildService(real));
    const labels = replicaLabels(real);
    const ports = [{ name: 'http', containerPort: engines[1].port, protocol: 'TCP' }];
    // The controller leaves out pods whose node does not exist.
    const node = { metadata: { name: `node-of-${teamA}` } };
    await client.create(nodes, node);
    const spec = { nodeName: node.metadata.name, containers: [{ name: 'engine', image: 'vllm-sim:dev', ports }] };
    const pod = { metadata: { name: 'infer-real-1', namespace: teamA, labels }, spec } as Pod;
    // The namespace's default ServiceAccount, without which no pod is admitted, is made a moment after it.
    await eventually(async () => void (await client.create(pods, pod)));
    const address = ownAddress();
    const body = { status: { ...servingStatus(), podIP: address, podIPs: [{ ip: address }] } };
    await client.patch(pods, pod.metadata, body, { type: 'merge', subresource: 'status' });
    await eventually(async () => {
      const { items } = await client.list(endpointSlices, {
        namespace: teamA,
        labelSelector: 'infer.dev/deployment=real',
      });
      expect(items[0]?.metadata.labels).toMatchObject(buildService(real).metadata.labels ?? {});
      expect(items[0]?.endpoints).toHaveLength(1);
    }, 30_000);
    await eventually(async () => expect(await status({ model: 'real' })).toBe(200));
    await client.delete(nodes, node.metadata);
  }, 60_000);
});

describe('without API server', () => {
  test('what is known is served, and what changed meanwhile is seen afterwards', async () => {
    const gone = await createDeployment(client, teamA, 'gone');
    await writeEndpoints(client, gone, [{ podUid: 'pod-4', port: engines[1].port }]);
    await eventually(async () => expect(await status({ model: 'gone' })).toBe(200));
    await proxy.down();
    expect(await failures(20)).toEqual([]);
    expect(await status({ key: 'wrong' })).toBe(401);
    const later = await createDeployment(client, teamA, 'later');
    await writeEndpoints(client, later, [{ podUid: 'pod-3', port: engines[1].port }]);
    expect(await status({ model: 'later' })).toBe(404);
    await client.delete(inferenceDeployments, { namespace: teamA, name: 'gone' });
    expect(await status({ model: 'gone' })).toBe(200);
    await proxy.up();
    await eventually(async () => expect(await status({ model: 'later' })).toBe(200), 45_000);
    await eventually(async () => expect(await status({ model: 'gone' })).toBe(404), 45_000);
    expect(gateway.running).toBe(true);
  }, 120_000);

  test('a gateway that starts waits for it, neither serving nor ending', async () => {
    await proxy.down();
    const late = GatewayProcess.start(proxy.kubeconfig);
    try {
      const health = await late.healthUrl();
      await eventually(() => expect(late.log).toContain('watch ended'));
      const ready = await fetch(`${health}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('apiKeys not listed yet')]);
      expect((await fetch(`${health}/healthz`)).status).toBe(200);
      await proxy.up();
      await late.serving();
      expect((await fetch(`${health}/readyz`)).status).toBe(200);
      expect((await fetch(`${health}/metrics`)).status).toBe(200);
    } finally {
      expect(await late.end()).toBe(0);
    }
  }, 120_000);
});

describe('a gateway that is stopped', () => {
  test('is not ready at once, still serves until balancers have seen that, and ends', async () => {
    const leaving = GatewayProcess.start(proxy.kubeconfig, { INFER_LEAVE_SECONDS: '15' });
    const kept = url;
    try {
      url = await leaving.serving();
      const health = await leaving.healthUrl();
      expect(await status()).toBe(200);
      leaving.signal('SIGTERM');
      await eventually(async () => expect((await fetch(`${health}/readyz`)).status).toBe(503));
      expect(await status()).toBe(200);
      expect(await leaving.exit).toBe(0);
    } finally {
      url = kept;
      await leaving.end('SIGKILL');
    }
  }, 60_000);
});

test('nothing that a gateway asked of Kubernetes was forbidden, and it wrote nothing', () => {
  expect(proxy.requests().length).toBeGreaterThan(5);
  expect(proxy.requests().filter(({ status: code }) => code === 403)).toEqual([]);
  expect(proxy.writes()).toEqual([]);
});

test('a log holds no key', () => {
  expect(gateway.log.length).toBeGreaterThan(0);
  expect(gateway.log).not.toMatch(/infer_[a-z0-9]{8,32}_/);
});
