/**
 * What keys use, through gateways and the batch process with their shipped rights on a real API server: what is counted, what
 * a crash may lose, and that it disturbs nobody.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { createApiKey } from '../support/api-key.ts';
import { BatchProcess } from '../support/batch-process.ts';
import { ownAddress, writeEndpoints } from '../support/endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import {
  createAccounts,
  createBatchPod,
  isServed,
  removePod,
  startGatewayInPod,
  type GatewayInPod,
} from '../support/process-pods.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT, installApi } from '../support/product.ts';
import { createDeployment } from '../support/scenario.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';

const BATCH_POD = 'usage-batch';
/** What a crash may lose at most. */
const TOLD_MS = 60_000;

let client: KubeClient;
let proxies: Record<'gateway' | 'batch', FaultProxy>;
let engine: SimulatorProcess;
let folder: string;
let batchPort: string;
let batchIdentity: Record<string, string>;
let batchProcess: BatchProcess;
let gateways: [GatewayInPod, GatewayInPod];
let key: string;

beforeAll(async () => {
  const kubeconfig = sharedKubeconfig();
  client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(client);
  const namespace = await createNamespace(client, 'usage');
  key = await createApiKey(client, namespace, 'web', { scopes: ['inference', 'view'] });
  engine = spawnSimulator(['--model', 'org/model', '--served-model-name', 'chat', '--host', ownAddress()], {});
  const port = Number(new URL(await engine.ready()).port);
  await writeEndpoints(client, await createDeployment(client, namespace, 'chat'), [{ podUid: 'pod-1', port }]);
  folder = await mkdtemp(join(tmpdir(), 'infer-usage-'));
  [batchPort = ''] = (await freePorts(1, '127.0.0.1')).map(String);
  const [gateway, batch] = await Promise.all(
    [GATEWAY_ACCOUNT, BATCH_ACCOUNT].map((impersonate) => startFaultProxy({ upstream: kubeconfig, impersonate })),
  );
  if (!gateway || !batch) throw new Error('a proxy is missing');
  proxies = { gateway, batch };
  batchIdentity = await createBatchPod(client, BATCH_POD, '127.0.4.9');
  batchProcess = startBatchProcess();
  await batchProcess.serving();
  gateways = [await startGateway('usage-gateway-1', '127.0.4.1'), await startGateway('usage-gateway-2', '127.0.4.2')];
  await isServed(gateways, key, 'chat');
}, 240_000);

afterAll(async () => {
  await Promise.all([batchProcess, ...gateways.map(({ process }) => process)].map((one) => one.end('SIGKILL')));
  for (const { name } of [...gateways, { name: BATCH_POD }]) await removePod(client, name);
  engine.child.kill('SIGKILL');
  await engine.ended;
  await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
  await client.close();
  await rm(folder, { recursive: true });
}, 60_000);

function startBatchProcess(): BatchProcess {
  return BatchProcess.start(proxies.batch.kubeconfig, folder, {
    ...batchIdentity,
    INFER_BATCH_PORT: batchPort,
    INFER_GATEWAY_ADDRESS: '127.0.0.1:1',
  });
}

async function startGateway(name: string, ip: string): Promise<GatewayInPod> {
  const [channel, internal] = (await freePorts(2, ip)).map(String);
  return await startGatewayInPod(client, {
    kubeconfig: proxies.gateway.kubeconfig,
    name,
    ip,
    environment: {
      INFER_CHANNEL_PORT: channel ?? '',
      INFER_INTERNAL_PORT: internal ?? '',
      INFER_BATCH_ADDRESS: `127.0.0.1:${batchPort}`,
    },
  });
}

async function ask({ url }: GatewayInPod, more: object = {}, signal?: AbortSignal): Promise<Response> {
  const body = { model: 'chat', messages: [{ role: 'user', content: 'Say something.' }], max_tokens: 5, ...more };
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) };
  const response = await fetch(`${url}/v1/chat/completions`, init);
  expect(response.status).toBe(200);
  return response;
}

interface Used {
  requests: number;
  completion_tokens: number;
}

/** What the key has used, as a gateway says. */
async function used({ url }: GatewayInPod): Promise<Used> {
  const response = await fetch(`${url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } });
  expect(response.status).toBe(200);
  const { data } = (await response.json()) as { data: (Used & { deployment: string; key: string })[] };
  // A run over midnight has two days.
  for (const row of data) expect(row).toMatchObject({ deployment: 'chat', key: 'web' });
  const sum = (field: keyof Used): number => data.reduce((total, row) => total + row[field], 0);
  return { requests: sum('requests'), completion_tokens: sum('completion_tokens') };
}

test('a gateway that is killed has told all but the last minute, also of a stream that goes on', async () => {
  const [doomed, other] = gateways;
  for (let index = 0; index < 3; index += 1) await (await ask(doomed)).text();
  await (await ask(other, { stream: true })).text();
  const stream = await ask(doomed, { stream: true, max_tokens: 7000, ignore_eos: true });
  const broken = stream.text().catch(() => '');
  await eventually(async () => {
    const now = await used(other);
    expect(now.requests).toBe(4);
    // Those of the stream beside those of the answers.
    expect(now.completion_tokens).toBeGreaterThan(20);
  }, TOLD_MS);
  // It tells no more of the stream between the reading and its end.
  doomed.process.signal('SIGSTOP');
  const told = await used(other);
  await doomed.process.end('SIGKILL');
  await broken;
  expect(await used(other)).toEqual(told);
}, 120_000);

test('without the batch process chats go on, usage is 503, and all is told when it is back', async () => {
  const [, gateway] = gateways;
  const before = await used(gateway);
  await batchProcess.end('SIGKILL');
  for (let index = 0; index < 2; index += 1) await (await ask(gateway)).text();
  const response = await fetch(`${gateway.url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } });
  expect(response.status).toBe(503);
  await response.arrayBuffer();
  batchProcess = startBatchProcess();
  await batchProcess.serving();
  const expected = { requests: before.requests + 2, completion_tokens: before.completion_tokens + 10 };
  await eventually(async () => expect(await used(gateway)).toEqual(expected), TOLD_MS);
}, 120_000);

test('a gateway that is told to end tells the rest', async () => {
  const [doomed, leaving] = gateways;
  await removePod(client, doomed.name);
  gateways[0] = await startGateway('usage-gateway-3', '127.0.4.3');
  await isServed([gateways[0]], key, 'chat');
  const before = await used(gateways[0]);
  for (let index = 0; index < 2; index += 1) await (await ask(leaving)).text();
  expect(await leaving.process.end()).toBe(0);
  // At once.
  expect(await used(gateways[0])).toEqual({
    requests: before.requests + 2,
    completion_tokens: before.completion_tokens + 10,
  });
}, 120_000);
