/** How many requests the API works on at one time, by connections that do not read what they asked for. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { form, NAMESPACE, startBatchApi, tenantHeaders, type RunningBatchApi } from '../../test/support/batch-api.ts';
import { eventually } from '../../test/support/eventually.ts';
import type { FileObject } from './files/file-object.ts';
import type { BatchLimits } from './limits.ts';

/** More than what lies between two sockets. */
const MANY_BYTES = 20 * 1024 * 1024;

let api: RunningBatchApi;
let sockets: Socket[];

beforeEach(() => {
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await api.close();
});

/** Asks for something, and reads none of the answer. */
async function ask(path: string, namespace = NAMESPACE): Promise<Socket> {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  const headers = Object.entries(tenantHeaders(namespace)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n${headers.join('')}\r\n`);
  return socket;
}

/** As ask(), when the head of the answer is there: the rest is left where it is. */
async function askInVain(path: string, namespace = NAMESPACE): Promise<Socket> {
  const socket = await ask(path, namespace);
  await once(socket, 'readable');
  return socket;
}

async function status(path: string, namespace?: string): Promise<number> {
  const response = await api.call(path, {}, namespace);
  await response.text();
  return response.status;
}

/** Starts with a file whose content is more than a connection takes; returns its id. */
async function start(limits: Partial<BatchLimits>): Promise<string> {
  api = await startBatchApi({ limits });
  const body = form({ content: 'x'.repeat(MANY_BYTES) });
  return ((await (await api.call('/v1/files', { method: 'POST', body })).json()) as FileObject).id;
}

test('downloads that nobody reads keep others out of their namespace alone', async () => {
  const path = `/v1/files/${await start({ downloads: { ofOne: 1, all: 2 } })}/content`;
  await askInVain(path);
  expect(await status(path)).toBe(429);
  expect([await status(path, 'team-b'), await status('/v1/files')]).toEqual([404, 200]);
  for (const socket of sockets) socket.destroy();
  await eventually(async () => expect(await status(path)).toBe(200));
});

test('no more downloads than are allowed in all', async () => {
  const path = `/v1/files/${await start({ downloads: { ofOne: 2, all: 1 } })}/content`;
  await askInVain(path);
  expect(await status(path, 'team-b')).toBe(503);
});

test('lists that nobody reads are bounded, and cut off after a while', async () => {
  await start({ others: { ofOne: 1, all: 2 }, answerMs: 1_000 });
  const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`${at}`, 'x'.repeat(512_000)]));
  api.batches.add('large', {
    spec: { inputFileId: '', endpoint: '/v1/embeddings', apiKey: 'web', metadata },
  });
  const unread = await askInVain('/v1/batches');
  expect(await status('/v1/batches/none')).toBe(429);
  expect(await status('/v1/batches/none', 'team-b')).toBe(404);
  await eventually(async () => expect(await status('/v1/batches/none')).toBe(404));
  unread.resume();
  await once(unread, 'close');
});

test('answers of usage that nobody reads keep no others out', async () => {
  const row = { replicaSeconds: 1, gpuSeconds: 1, cost: {} };
  const rows = Array.from({ length: 50_000 }, (_, at) => ({ ...row, start: at * 3600, deployment: 'x'.repeat(250) }));
  api = await startBatchApi({ replicaTime: { rows: async () => rows } });
  const path = '/v1/usage?group_by=deployment';
  for (const namespace of [NAMESPACE, NAMESPACE, 'team-b']) await askInVain(path, namespace);
  expect([await status(path), await status(path, 'team-c')]).toEqual([200, 200]);
  await askInVain(path);
  expect(await status(path)).toBe(429);
  expect(await status(path, 'team-b')).toBe(200);
  // Seven answers that are larger than what sockets hold.
}, 30_000);

test('work that was begun keeps its place though its client has gone', async () => {
  const { promise: listed, resolve } = Promise.withResolvers<void>();
  api = await startBatchApi({
    limits: { others: { ofOne: 1, all: 1 } },
    wrapStore: (store) => ({
      put: (...given) => store.put(...given),
      get: (...given) => store.get(...given),
      head: (...given) => store.head(...given),
      delete: (...given) => store.delete(...given),
      async *list(...given) {
        await listed;
        yield* store.list(...given);
      },
    }),
  });
  const gone = await ask('/v1/files');
  await eventually(async () => expect(await status('/v1/batches')).toBe(429));
  gone.destroy();
  await eventually(() => expect(api.log()).toContain('"status":499'));
  expect(await status('/v1/batches')).toBe(429);
  resolve();
  await eventually(async () => expect(await status('/v1/batches')).toBe(200));
});
