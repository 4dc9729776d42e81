/**
 * Files and batches through every process: operator, two gateways and the batch process with their shipped rights, a
 * simulated engine for each replica, and OpenAI's own client. What must hold whatever dies: each request has one result.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { InferenceBatch } from '../../src/api/generated/inference-batch.ts';
import { inferenceBatches, inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { events } from '../../src/kube/events.ts';
import { run } from '../cluster/command.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { PYTHON_CLIENT } from '../conformance/clients.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { startLoad } from '../load/load.ts';
import { createApiKey } from '../support/api-key.ts';
import { BatchClient } from '../support/batch-client.ts';
import { BatchProcess } from '../support/batch-process.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { denied } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import {
  createAccounts,
  createBatchPod,
  removePod,
  isServed,
  startGatewayInPod,
  type GatewayInPod,
} from '../support/process-pods.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT, installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { ensurePythonPackage } from '../support/python-package.ts';
import { ReplicaEngines } from '../support/replica-engines.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

/** A token takes 20 ms, and a hundredth of that more for each request that is answered beside it. */
const ENGINE = {
  arguments: ['--max-num-seqs', '32', '--shutdown-timeout', '30'],
  environment: { SIM_STEP_MS: '20', SIM_STEP_US_PER_CONTEXT_TOKEN: '7' },
};
const GATEWAYS = [
  { name: 'batch-gateway-1', ip: '127.0.3.1' },
  { name: 'batch-gateway-2', ip: '127.0.3.2' },
] as const;
/** What the headless Service of the gateways is called here. */
const GATEWAY_HOST = 'gateways.test';
/** How long latencies are measured, without a batch and beside one. */
const MEASURED_MS = 25_000;

let client: KubeClient;
let proxies: Record<'operator' | 'gateway' | 'batch', FaultProxy>;
let operator: OperatorProcess;
let gateways: [GatewayInPod, GatewayInPod];
let batchProcess: BatchProcess;
let batchIdentity: Record<string, string>;
let kubelet: FakeKubelet;
let engines: ReplicaEngines;
let ports: Record<'channel' | 'internal' | 'batch', string>;
let folder: string;
let namespace: string;
let key: string;
let batches: BatchClient;
/** Also those that were killed. */
const started: { log: string }[] = [];

beforeAll(async () => {
  const kubeconfig = sharedKubeconfig();
  client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(client);
  namespace = await createNamespace(client, 'batches');
  key = await createApiKey(client, namespace, 'jobs', { scopes: ['inference', 'files'] });
  folder = await mkdtemp(join(tmpdir(), 'infer-files-'));
  const [channel, internal, batch] = (await freePorts(3, '127.0.0.1')).map(String);
  ports = { channel: channel ?? '', internal: internal ?? '', batch: batch ?? '' };
  const [forOperator, forGateway, forBatch] = await Promise.all(
    [OPERATOR_ACCOUNT, GATEWAY_ACCOUNT, BATCH_ACCOUNT].map(
      async (impersonate) => await startFaultProxy({ upstream: kubeconfig, impersonate }),
    ),
  );
  if (!forOperator || !forGateway || !forBatch) throw new Error('a proxy is missing');
  proxies = { operator: forOperator, gateway: forGateway, batch: forBatch };
  kubelet = new FakeKubelet(client, servingStatus, namespace);
  engines = new ReplicaEngines(client, namespace, ENGINE);
  operator = OperatorProcess.start({
    kubeconfig: proxies.operator.kubeconfig,
    environment: { INFER_CHANNEL_PORT: ports.channel },
  });
  started.push(operator);
  batchIdentity = await createBatchPod(client, 'batch-1', '127.0.3.9');
  batchProcess = startBatchProcess();
  gateways = [await startGateway(0), await startGateway(1)];
  batches = new BatchClient(`${gateways[0].url}/v1`, key);
  await createDeployment(client, namespace, 'chat', { maxReplicas: 2 });
  await readyReason(client, namespace, 'Serving');
  await isServed(gateways, key, 'chat');
  await eventually(async () => void (await batches.openai.files.list()), 60_000);
}, 240_000);

afterAll(async () => {
  await Promise.all(
    [operator, batchProcess, ...gateways.map(({ process }) => process)].map((one) => one.end('SIGKILL')),
  );
  for (const { name } of [...gateways, { name: 'batch-1' }]) await removePod(client, name);
  await engines.stop();
  await kubelet.stop();
  await Promise.all(Object.values(proxies).map(async (proxy) => await proxy.stop()));
  await client.close();
  await rm(folder, { recursive: true });
}, 60_000);

function example(name: string): string {
  return join(repositoryRoot, 'examples', name);
}

function startBatchProcess(): BatchProcess {
  const process = BatchProcess.start(proxies.batch.kubeconfig, folder, {
    ...batchIdentity,
    INFER_BATCH_PORT: ports.batch,
    INFER_GATEWAY_ADDRESS: `${GATEWAY_HOST}:${ports.internal}`,
    NODE_OPTIONS: `--import ${join(import.meta.dirname, '../support/named-hosts.ts')}`,
    TEST_HOSTS: JSON.stringify({ [GATEWAY_HOST]: GATEWAYS.map(({ ip }) => ip) }),
  });
  started.push(process);
  return process;
}

async function startGateway(index: 0 | 1): Promise<GatewayInPod> {
  const environment = {
    INFER_CHANNEL_PORT: ports.channel,
    INFER_INTERNAL_PORT: ports.internal,
    INFER_BATCH_ADDRESS: `127.0.0.1:${ports.batch}`,
  };
  const options = { kubeconfig: proxies.gateway.kubeconfig, ...GATEWAYS[index], environment };
  const gateway = await startGatewayInPod(client, options);
  started.push(gateway.process);
  return gateway;
}

/** Waits until the first results of the batch are stored. */
async function hasResults(id: string): Promise<void> {
  const resource = await client.get(inferenceBatches, { namespace, name: id.replace('batch_', '') });
  const output = join(folder, 'objects/batches', namespace, resource?.metadata.uid ?? '', 'output');
  await eventually(async () => expect((await readdir(output)).length).toBeGreaterThan(0), 60_000);
}

async function scalingOf(name: string) {
  return (await client.get(inferenceDeployments, { namespace, name }))?.status?.scaling;
}

test('a file goes up, a batch of it runs, and its answers come down', async () => {
  const { id } = await batches.start('chat', 40, 8);
  await batches.expectAllAnswered(id, 40);
}, 200_000);

describe('the examples', () => {
  test('batch.py asks in one batch and prints the answers', async () => {
    const python = await ensurePythonPackage(PYTHON_CLIENT);
    const env = { INFER_BASE_URL: `${gateways[0].url}/v1`, INFER_API_KEY: key };
    const answers = await run(python, [example('batch.py'), 'chat', 'Good?', 'Or bad?'], { env, timeoutMs: 120_000 });
    expect(answers.trim().split('\n').toSorted()).toEqual([
      expect.stringMatching(/^question-1: \S/),
      expect.stringMatching(/^question-2: \S/),
    ]);
  }, 300_000);

  test('batch.yaml, with the id of a file that is there, is worked on like a batch of a client', async () => {
    const resource = parse(await readFile(example('batch.yaml'), 'utf8')) as InferenceBatch;
    const { metadata, spec } = resource;
    const inputFileId = await batches.upload('chat', 5, 4);
    const { name } = metadata;
    await client.create(inferenceBatches, {
      ...resource,
      metadata: { ...metadata, namespace },
      spec: { ...spec, inputFileId, apiKey: 'jobs' },
    });
    await batches.expectAllAnswered(`batch_${name}`, 5);
    const { status } = (await client.get(inferenceBatches, { namespace, name })) ?? {};
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Complete', status: 'True', reason: 'Completed' }),
    );
    await eventually(async () => {
      const { items } = await client.list(events, { namespace });
      const told = items.filter(({ regarding }) => regarding.kind === 'InferenceBatch' && regarding.name === name);
      const reasons = told.map(({ reason }) => reason).toSorted();
      expect(reasons).toEqual([...new Set(reasons)]);
      expect(reasons).toEqual(expect.arrayContaining(['Completed', 'Finalizing', 'InProgress']));
    });
  }, 120_000);
});

test('a batch wakes a deployment at zero, which goes back afterwards, and says why', async () => {
  const scaling = { idleSeconds: 10, stabilizationWindowSeconds: 5 };
  await createDeployment(client, namespace, 'sleeper', { minReplicas: 0, maxReplicas: 1, scaling });
  await readyReason(client, namespace, 'ScaledToZero', 'sleeper');
  await isServed(gateways, key, 'sleeper');
  const { id } = await batches.start('sleeper', 10, 8);
  await batches.expectAllAnswered(id, 10);
  await eventually(async () => expect((await scalingOf('sleeper'))?.desiredReplicas).toBe(0), 60_000);
  const [down, up] = (await scalingOf('sleeper'))?.recent ?? [];
  expect(up?.message).toBe('0 → 1: batches need 1 replica to be done in time.');
  expect(down).toMatchObject({ from: 1, to: 0, reason: 'ScaledToZero' });
  const { items } = await client.list(events, { namespace });
  const told = items.filter(({ regarding }) => regarding.name === 'sleeper').map(({ note }) => note);
  expect(told.join('\n')).toContain('batches need 1 replica');
}, 240_000);

describe('each request has one result, also where in the middle', () => {
  test('the batch process is killed', async () => {
    const { id } = await batches.start('chat', 200, 30);
    await hasResults(id);
    await batchProcess.end('SIGKILL');
    // Chat goes on; files are told to be away.
    await expect(batches.openai.batches.retrieve(id)).rejects.toMatchObject({ status: 503 });
    const messages = [{ role: 'user' as const, content: 'Hi' }];
    await batches.openai.chat.completions.create({ model: 'chat', messages, max_tokens: 2 });
    batchProcess = startBatchProcess();
    await batches.expectAllAnswered(id, 200);
  }, 240_000);

  test('a gateway is killed', async () => {
    const { id } = await batches.start('chat', 200, 30);
    await hasResults(id);
    await gateways[1].process.end('SIGKILL');
    await removePod(client, gateways[1].name);
    await batches.expectAllAnswered(id, 200);
    gateways[1] = await startGateway(1);
  }, 240_000);
});

/** Returns how many times as long clients wait beside a batch as without one, the slowest of twenty each. */
async function slowdown(): Promise<number> {
  const load = startLoad({
    baseUrl: `${gateways[0].url}/v1`,
    key,
    model: 'chat',
    rate: 4,
    maxTokens: 20,
    streamShare: 0,
    phase: 'alone',
    body: { ignore_eos: true },
  });
  await delay(MEASURED_MS);
  load.phase('begins');
  const { id } = await batches.start('chat', 2_000, 30);
  await hasResults(id);
  load.phase('beside');
  await delay(MEASURED_MS);
  const report = await load.stop();
  expect((await batches.openai.batches.cancel(id)).status).toBe('cancelling');
  const { status, request_counts: counts } = await batches.ended(id);
  expect(status).toBe('cancelled');
  const [alone = Number.NaN, , beside = Number.NaN] = report.phases.map(({ unary }) => unary.endMs?.p95);
  process.stderr.write(
    `p95 of clients: ${alone} ms alone, ${beside} ms beside a batch of which ${counts?.completed} were done: ${(beside / alone).toFixed(2)}\n`,
  );
  expect(report.failed + report.cut).toBe(0);
  expect(counts?.completed).toBeGreaterThan(100);
  return beside / alone;
}

test('what clients notice of a batch beside their requests', async () => {
  // The machine has to stand still but twice for half a second to make it more: where it is, the median of three counts.
  const first = await slowdown();
  const seen = first < 1.6 ? [first] : [first, await slowdown(), await slowdown()];
  expect(seen.toSorted((a, b) => a - b)[seen.length >> 1]).toBeLessThan(1.6);
}, 600_000);

test('no process asked for what it may not have, and no token stands in a log', () => {
  for (const proxy of Object.values(proxies)) expect(denied(proxy, namespace)).toEqual([]);
  expect(started).toHaveLength(6);
  for (const { log } of started) {
    expect(log).not.toMatch(/eyJ[\w-]{10}/);
    expect(log).not.toContain(key);
  }
});
