/** The API of files and batches as a process on a real API server, by OpenAI's own client. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI, { APIError, toFile } from 'openai';
import type { InferenceBatch, InferenceBatchStatus } from '../../src/api/generated/inference-batch.ts';
import { inferenceBatches } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { tenantHeaders } from '../support/batch-api.ts';
import { BatchProcess } from '../support/batch-process.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { installApi } from '../support/product.ts';

let client: KubeClient;
let folder: string;
let batchProcess: BatchProcess;
let url: string;
let teamA: string;
let teamB: string;
let openai: OpenAI;
let foreigner: OpenAI;

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  [teamA, teamB] = [await createNamespace(client, 'batch-a'), await createNamespace(client, 'batch-b')];
  folder = await mkdtemp(join(tmpdir(), 'infer-batch-'));
  await start();
}, 120_000);

afterAll(async () => {
  await batchProcess.end('SIGKILL');
  await rm(folder, { recursive: true });
  await client.close();
}, 30_000);

async function start(): Promise<void> {
  batchProcess = BatchProcess.start(sharedKubeconfig(), folder);
  url = await batchProcess.serving();
  [openai, foreigner] = [openaiOf(teamA), openaiOf(teamB)];
}

function openaiOf(namespace: string): OpenAI {
  return new OpenAI({
    apiKey: 'unused',
    baseURL: `${url}/v1`,
    defaultHeaders: tenantHeaders(namespace),
    maxRetries: 0,
  });
}

async function upload(by = openai): Promise<string> {
  const file = await toFile(Buffer.from('{"custom_id":"1"}\n'), 'requests.jsonl');
  return (await by.files.create({ file, purpose: 'batch' })).id;
}

async function create(inputFileId: string, by = openai) {
  return await by.batches.create({
    input_file_id: inputFileId,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { project: 'labels' },
  });
}

/** The status of what is refused. */
async function refused(promise: Promise<unknown>): Promise<number | undefined> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw new Error('It was not refused.', { cause: error });
  return error.status as number | undefined;
}

/** Writes a status as the worker does. */
async function report(id: string, reason: string, status: InferenceBatchStatus = {}): Promise<InferenceBatch> {
  const lastTransitionTime = '2026-11-22T10:00:00Z';
  const conditions = [{ type: 'Complete', status: 'False' as const, reason, message: '', lastTransitionTime }];
  const ref = { namespace: teamA, name: id.replace('batch_', '') };
  const options = { type: 'merge', subresource: 'status' } as const;
  return await client.patch(inferenceBatches, ref, { status: { conditions, ...status } }, options);
}

describe('a batch', () => {
  test('is a resource that Kubernetes takes, found at once in every way', async () => {
    const inputFileId = await upload();
    const made = [];
    for (let at = 0; at < 3; at += 1) {
      const batch = await create(inputFileId);
      made.unshift(batch.id);
      expect(await openai.batches.retrieve(batch.id)).toEqual(batch);
      expect((await openai.batches.list({ limit: 1 })).data).toEqual([batch]);
      expect(Math.abs(batch.created_at - Date.now() / 1000)).toBeLessThan(60);
    }
    const listed = [];
    for await (const { id } of openai.batches.list({ limit: 1 })) listed.push(id);
    expect(listed).toEqual(made);
    const { spec } = (await client.get(inferenceBatches, {
      namespace: teamA,
      name: made[0]?.replace('batch_', '') ?? '',
    })) as InferenceBatch;
    expect(spec).toMatchObject({
      inputFileId,
      apiKey: 'web',
      completionWindow: '24h',
      metadata: { project: 'labels' },
    });
  });

  test('shows what the worker writes', async () => {
    const { id } = await create(await upload());
    await report(id, 'InProgress', { requests: { total: 5, completed: 2, failed: 1 }, model: 'chat' });
    await eventually(async () =>
      expect(await openai.batches.retrieve(id)).toMatchObject({
        status: 'in_progress',
        model: 'chat',
        request_counts: { total: 5, completed: 2, failed: 1 },
      }),
    );
  });

  test('of an unknown file is made: its worker finds that out', async () => {
    expect(await create(`file-${'0'.repeat(32)}`)).toMatchObject({ status: 'validating' });
  });

  test('of kubectl is one as well', async () => {
    const { metadata } = await client.create(inferenceBatches, {
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceBatch',
      metadata: { namespace: teamA, name: 'nightly-labels' },
      spec: { inputFileId: await upload(), endpoint: '/v1/embeddings', apiKey: 'web' },
    });
    await eventually(async () =>
      expect((await openai.batches.list()).data.map(({ id }) => id)).toContain(`batch_${metadata.name}`),
    );
  });

  test('of the longest metadata is taken', async () => {
    const entries = Array.from({ length: 16 }, (_, at) => [`${'k'.repeat(62)}${at + 10}`, '🙂'.repeat(512)]);
    const metadata = Object.fromEntries(entries) as Record<string, string>;
    const batch = await openai.batches.create({
      input_file_id: await upload(),
      endpoint: '/v1/embeddings',
      completion_window: '24h',
      metadata,
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    expect(batch.metadata).toEqual(metadata);
  });
});

describe('to cancel', () => {
  test('is seen at once, by the resource too, and can be said twice', async () => {
    const { id } = await create(await upload());
    await report(id, 'InProgress');
    expect(await openai.batches.cancel(id)).toMatchObject({ id, status: 'cancelling' });
    expect((await openai.batches.retrieve(id)).status).toBe('cancelling');
    expect((await openai.batches.cancel(id)).status).toBe('cancelling');
    const { spec } = await report(id, 'Cancelled');
    expect(spec.cancel).toBe(true);
    await eventually(async () => expect((await openai.batches.cancel(id)).status).toBe('cancelled'));
  });

  test.each(['Completed', 'Failed', 'Expired'])('is too late for one that is %s', async (reason) => {
    const { id } = await create(await upload());
    await report(id, reason);
    await eventually(async () => expect((await openai.batches.retrieve(id)).status).toBe(reason.toLowerCase()));
    expect(await refused(openai.batches.cancel(id))).toBe(409);
  });
});

describe('of another namespace', () => {
  test('nothing is seen, read, listed or ended', async () => {
    const [fileId, { id }] = [await upload(), await create(await upload())];
    const attempts = [
      foreigner.files.retrieve(fileId),
      foreigner.files.content(fileId),
      foreigner.files.delete(fileId),
      foreigner.files.list({ after: fileId }),
      foreigner.batches.retrieve(id),
      foreigner.batches.cancel(id),
      foreigner.batches.list({ after: id }),
    ];
    expect(await Promise.all(attempts.map(refused))).toEqual(attempts.map(() => 404));
    expect((await foreigner.files.list()).data).toEqual([]);
    expect((await foreigner.batches.list()).data).toEqual([]);
    expect(await openai.files.retrieve(fileId)).toMatchObject({ id: fileId });
    expect((await openai.batches.retrieve(id)).status).toBe('validating');
  });

  test('a file is none: the batch is made, and names it in its own namespace', async () => {
    const fileId = await upload();
    const { id } = await create(fileId, foreigner);
    const batch = await client.get(inferenceBatches, { namespace: teamB, name: id.replace('batch_', '') });
    expect(batch?.spec.inputFileId).toBe(fileId);
  });
});

test('files and batches outlive the process', async () => {
  const fileId = await upload();
  const { id } = await create(fileId);
  expect(await batchProcess.end('SIGKILL')).toBeNull();
  await start();
  expect(await (await openai.files.content(fileId)).text()).toBe('{"custom_id":"1"}\n');
  expect(await openai.batches.retrieve(id)).toMatchObject({ id, input_file_id: fileId });
});

test('requests are taken until gateways know that the process stops, each as the last on its connection', async () => {
  const other = await mkdtemp(join(tmpdir(), 'infer-batch-'));
  const leaving = BatchProcess.start(sharedKubeconfig(), other, { INFER_LEAVE_SECONDS: '15' });
  const [api, health] = [await leaving.serving(), await leaving.healthUrl()];
  const list = async (): Promise<Response> => await fetch(`${api}/v1/files`, { headers: tenantHeaders(teamA) });
  expect((await list()).headers.get('connection')).toBe('keep-alive');
  leaving.signal('SIGTERM');
  await eventually(async () => expect((await fetch(`${health}/readyz`)).status).toBe(503));
  const answer = await list();
  expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
  expect(await leaving.exit).toBe(0);
  await rm(other, { recursive: true });
});

test('an upload under way is finished when the process is told to stop', async () => {
  const health = await batchProcess.healthUrl();
  expect((await fetch(`${health}/readyz`)).status).toBe(200);
  const body =
    '--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n' +
    '--B\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n\r\n--B--\r\n';
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const head = Object.entries({
    ...tenantHeaders(teamA),
    'content-type': 'multipart/form-data; boundary=B',
    'content-length': body.length,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/files HTTP/1.1\r\nhost: a\r\n${head.join('')}\r\n${body.slice(0, -10)}`);
  // It has come in when what was sent after it is answered.
  await openai.files.list({ limit: 1 });
  batchProcess.signal('SIGTERM');
  await eventually(() => expect(batchProcess.log).toContain('stopping'));
  socket.write(body.slice(-10));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 200 .*"filename":"a.jsonl"/s);
  expect(await batchProcess.exit).toBe(0);
  await start();
});
