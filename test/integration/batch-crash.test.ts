/** Workers that are killed, or stopped and continued, on a real API server and a real folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { json, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { InferenceBatch } from '../../src/api/generated/inference-batch.ts';
import { inferenceBatches } from '../../src/api/resources.ts';
import { contentKey, fileIdOf, fileObject } from '../../src/batch/files/file-object.ts';
import { FileRepository } from '../../src/batch/files/file-repository.ts';
import { TimedIds } from '../../src/batch/timed-ids.ts';
import { MOST_UNSAVED } from '../../src/batch/worker/lanes.ts';
import { stateOf } from '../../src/batch/worker/state.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { leases } from '../../src/kube/lease.ts';
import { openFolderStore } from '../../src/store/folder-store.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { inputLines } from '../support/batch-world.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { LoggedProcess } from '../support/logged-process.ts';
import { installApi } from '../support/product.ts';

const ENTRY = join(import.meta.dirname, '../support/batch-worker-process.ts');
const LINES = 300;
/** Without an answer at most: the stand-in for gateways never shows the first limit as used up. */
const CONCURRENCY = 8;
/** Sent, and not durable. */
const MOST_IN_FLIGHT = CONCURRENCY + MOST_UNSAVED;

let client: KubeClient;
let folder: string;
let store: ObjectStore;
let namespace: string;
let gateway: Server;
let sent: string[];
let processes: LoggedProcess[];

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
}, 120_000);

afterAll(async () => {
  await client.close();
});

beforeEach(async () => {
  namespace = await createNamespace(client, 'batch-crash');
  folder = await mkdtemp(join(tmpdir(), 'infer-batch-'));
  store = await openFolderStore(folder);
  sent = [];
  processes = [];
  gateway = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const worker of processes) await worker.end('SIGKILL');
  gateway.closeAllConnections();
  gateway.close();
  await rm(folder, { recursive: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = (body: object): void => void response.setHeader('x-request-id', 'r').end(JSON.stringify(body));
  if (request.url?.startsWith('/internal/models/') === true) return reply({ namespace, name: 'llama' });
  if (request.url?.startsWith('/internal/load/') === true) {
    const replica = { podUid: 'a', serving: true, onlineInFlight: 0, batchInFlight: 0, waiting: 0, kvCacheUsage: 0 };
    return reply({ replicas: [replica], onlineHeld: 0, batchHeld: 0, onlineIdleMs: 60_000 });
  }
  const { messages } = (await json(request)) as { messages: { content: string }[] };
  const id = messages[0]?.content ?? '';
  sent.push(id);
  await delay(20 + 60 * Math.random());
  if (id.endsWith('7')) response.statusCode = 400;
  reply({ echo: id, usage: { prompt_tokens: 3, completion_tokens: 2 } });
}

function start(identity: string): LoggedProcess {
  const worker = new LoggedProcess(ENTRY, {
    KUBECONFIG: sharedKubeconfig(),
    TEST_NAMESPACE: namespace,
    TEST_FOLDER: folder,
    TEST_IDENTITY: identity,
    TEST_GATEWAY_PORT: String((gateway.address() as AddressInfo).port),
  });
  processes.push(worker);
  return worker;
}

async function makeBatch(): Promise<void> {
  const id = fileIdOf(new TimedIds().next());
  const bytes = await store.put(contentKey(namespace, id), Buffer.from(inputLines(LINES)));
  const file = fileObject({ id, bytes, filename: 'input.jsonl', purpose: 'batch', lifetimeSeconds: 86_400 });
  await new FileRepository(store, console).add(namespace, file);
  await client.create(inferenceBatches, {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceBatch',
    metadata: { name: 'labels', namespace },
    spec: { inputFileId: id, endpoint: '/v1/chat/completions', apiKey: 'nightly' },
  });
}

async function batch(): Promise<InferenceBatch> {
  const found = await client.get(inferenceBatches, { namespace, name: 'labels' });
  if (found === undefined) throw new Error('the batch is gone');
  return found;
}

async function expectExactlyOnce(): Promise<void> {
  const { status } = await batch();
  const lines = async (id = ''): Promise<{ custom_id: string }[]> => {
    const found = await store.get(contentKey(namespace, id));
    const content = found === undefined ? '' : await text(found.content);
    return content.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { custom_id: string }]));
  };
  const [output, errors] = [await lines(status?.outputFileId), await lines(status?.errorFileId)];
  const ids = [...output, ...errors].map(({ custom_id }) => custom_id).sort();
  expect(ids).toEqual(Array.from({ length: LINES }, (_, index) => `request-${index}`).sort());
  expect(status?.requests).toEqual({ total: LINES, completed: output.length, failed: errors.length });
  expect(errors).toHaveLength(LINES / 10);
  expect((await new FileRepository(store, console).list(namespace, ALL)).files).toHaveLength(3);
}

/** What a process leaves when it ends: which requests are durable, and how many had been sent. */
interface Left {
  durable: Set<string>;
  sent: number;
}

async function left(): Promise<Left> {
  // Parts go when their files are there.
  if (stateOf(await batch()) !== 'InProgress') return { durable: new Set(sent), sent: sent.length };
  const durable = new Set<string>();
  for await (const { key } of store.list('batches/')) {
    if (!/\/(output|error)\//.test(key)) continue;
    const found = await store.get(key);
    const lines = found === undefined ? '' : await text(found.content);
    for (const line of lines.split('\n')) {
      if (line !== '') durable.add((JSON.parse(line) as { custom_id: string }).custom_id);
    }
  }
  return { durable, sent: sent.length };
}

/** What was durable is not sent again, and what was not are few. */
function expectOnlyInFlightRepeated({ durable, sent: count }: Left): void {
  expect(sent.slice(count).filter((id) => durable.has(id))).toEqual([]);
  expect(new Set(sent.slice(0, count)).size - durable.size).toBeLessThanOrEqual(MOST_IN_FLIGHT);
}

const ALL = { order: 'asc', limit: 100, after: undefined, purpose: undefined } as const;

test('each request is in the files once, however often the process is killed', async () => {
  await makeBatch();
  const kills: Left[] = [];
  for (;;) {
    const worker = start('worker');
    const known = sent.length;
    const seen = async (): Promise<void> => {
      const done = stateOf(await batch()) === 'Completed';
      if (!done && sent.length < known + 20) throw new Error(`it does not get on:\n${worker.log}`);
    };
    await eventually(seen, 30_000);
    if (stateOf(await batch()) === 'Completed') break;
    await delay(300 * Math.random());
    await worker.end('SIGKILL');
    kills.push(await left());
  }
  expect(kills.length).toBeGreaterThan(5);
  await expectExactlyOnce();
  for (const kill of kills) expectOnlyInFlightRepeated(kill);
  // Nothing of the work is left, and its Lease neither.
  await eventually(async () => expect((await client.list(leases, { namespace })).items).toEqual([]));
  for await (const { key } of store.list('batches/')) throw new Error(`${key} is left`);
}, 180_000);

test('a process that stood still while another took over does no harm when it goes on', async () => {
  await makeBatch();
  const first = start('first');
  await eventually(() => expect(sent.length).toBeGreaterThan(40), 30_000);
  first.signal('SIGSTOP');
  const stopped = await left();
  start('second');
  const known = sent.length;
  await eventually(() => expect(sent.length).toBeGreaterThan(known + 20), 60_000);
  first.signal('SIGCONT');
  await eventually(async () => expect(stateOf(await batch())).toBe('Completed'), 60_000);
  await expectExactlyOnce();
  expectOnlyInFlightRepeated(stopped);
}, 180_000);

test('a batch that is deleted while it runs leaves nothing behind', async () => {
  await makeBatch();
  start('worker');
  await eventually(() => expect(sent.length).toBeGreaterThan(40), 30_000);
  await client.delete(inferenceBatches, { namespace, name: 'labels' });
  await eventually(async () => {
    expect(await client.get(inferenceBatches, { namespace, name: 'labels' })).toBeUndefined();
    expect((await client.list(leases, { namespace })).items).toEqual([]);
  }, 30_000);
  expect((await new FileRepository(store, console).list(namespace, ALL)).files).toHaveLength(1);
  for await (const { key } of store.list('batches/')) throw new Error(`${key} is left`);
}, 60_000);
