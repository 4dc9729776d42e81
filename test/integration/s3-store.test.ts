/** What only S3 has: a network, a bucket that may be missing, and credentials. */
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { probeStore } from '../../src/store/create-store.ts';
import { StoreUnavailable, type ObjectStore } from '../../src/store/object-store.ts';
import { openS3Store } from '../../src/store/s3-store.ts';
import type { S3Settings } from '../../src/store/settings.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const MEGABYTE = 1_000_000;
const SIZE = 30 * MEGABYTE;
const TIMEOUTS = { connectMs: 1_000, silenceMs: 500, requestMs: 20_000 };

let server: S3Server;
let proxy: TcpProxy;
let store: ObjectStore;

function settings(changes: Partial<S3Settings> = {}): S3Settings {
  return {
    kind: 's3',
    bucket: server.bucket,
    endpoint: `http://127.0.0.1:${proxy.port}`,
    region: 'us-east-1',
    prefix: '',
    pathStyle: true,
    ...changes,
  };
}

async function* megabytes(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(MEGABYTE, String(index % 10));
}

/** Whether this is what `megabytes` gave. */
function isWhole(content: string): boolean {
  return (
    Array.from({ length: SIZE / MEGABYTE }, (_, index) => String(index % 10).repeat(MEGABYTE)).join('') === content
  );
}

async function read(key: string): Promise<string | undefined> {
  const found = await store.get(key);
  return found && (await text(found.content));
}

beforeAll(async () => {
  server = await startS3Server();
  Object.assign(process.env, server.environment);
  // The first time the server is built.
}, 600_000);

afterAll(async () => {
  await server.stop();
});

beforeEach(async () => {
  proxy = await startTcpProxy(server.port);
  store = openS3Store(settings(), TIMEOUTS);
});

afterEach(async () => {
  await proxy.stop();
});

test('parts whose connections break are sent again', async () => {
  proxy.break({ direction: 'to server', afterBytes: 3 * MEGABYTE, times: 2 });
  expect(await store.put('put/broken', megabytes(30))).toBe(SIZE);
  expect(proxy.broken).toBe(2);
  expect(isWhole((await read('put/broken')) ?? '')).toBe(true);
});

test('an upload of which the last answer is lost is known to be done', async () => {
  // The head and the list of parts may come apart.
  proxy.break({
    direction: 'to client',
    afterBytes: 0,
    times: 1,
    answerTo: /^POST \S+uploadId=|^<.*CompleteMultipart/s,
  });
  expect(await store.put('put/unanswered', megabytes(30))).toBe(SIZE);
  expect(proxy.broken).toBe(1);
  expect(isWhole((await read('put/unanswered')) ?? '')).toBe(true);
});

test('a put that never gets through is StoreUnavailable, ends its source and leaves the old object', async () => {
  await store.put('put/refused', Buffer.from('old'));
  proxy.break({ direction: 'to server', afterBytes: 3 * MEGABYTE, times: Infinity });
  let ended = false;
  async function* source(): AsyncGenerator<Buffer> {
    try {
      yield* megabytes(10_000);
    } finally {
      ended = true;
    }
  }
  await expect(store.put('put/refused', source())).rejects.toThrow(StoreUnavailable);
  expect(ended).toBe(true);
  expect(await read('put/refused')).toBe('old');
});

test('a download whose connections break goes on where it was', async () => {
  await store.put('get/broken', megabytes(30));
  proxy.break({ direction: 'to client', afterBytes: 5 * MEGABYTE, times: 4 });
  expect(isWhole((await read('get/broken')) ?? '')).toBe(true);
  expect(proxy.broken).toBe(4);
});

test('a range whose connection breaks ends where it should', async () => {
  await store.put('get/range', megabytes(30));
  proxy.break({ direction: 'to client', afterBytes: 2 * MEGABYTE, times: 1 });
  const found = await store.get('get/range', { range: { from: 500_000, to: 5_499_999 } });
  const content = found && (await text(found.content));
  expect(proxy.broken).toBe(1);
  expect(content?.length).toBe(5 * MEGABYTE);
  expect(content?.slice(-1)).toBe('5');
  expect(content?.startsWith('0'.repeat(500_000) + '1')).toBe(true);
});

test('a download whose server is gone is StoreUnavailable', async () => {
  await store.put('get/gone', megabytes(30));
  const found = await store.get('get/gone');
  const reading = async (): Promise<void> => {
    for await (const _ of found?.content ?? []) await proxy.stop();
  };
  await expect(reading()).rejects.toThrow(StoreUnavailable);
});

test('a download is never of two objects', async () => {
  await store.put('get/replaced', megabytes(30));
  const found = await store.get('get/replaced');
  const behind = openS3Store(settings({ endpoint: `http://127.0.0.1:${server.port}` }));
  let replaced = false;
  const reading = async (): Promise<void> => {
    for await (const _ of found?.content ?? []) {
      if (replaced) continue;
      await behind.put('get/replaced', Buffer.alloc(SIZE, 'x'));
      proxy.break({ direction: 'to client', afterBytes: 0, times: 1 });
      replaced = true;
    }
  };
  await expect(reading()).rejects.toThrow(/replaced or removed while it was read/);
});

test('a reader may be slower than the patience of the connection', async () => {
  await store.put('get/slow', megabytes(30));
  const found = await store.get('get/slow');
  let bytes = 0;
  for await (const chunk of found?.content ?? []) {
    // The one wait of which the length matters: it is the idleness that ends a connection.
    if (bytes === 0) await delay(4 * TIMEOUTS.silenceMs);
    bytes += (chunk as Buffer).length;
  }
  expect(bytes).toBe(SIZE);
});

test('a server that falls silent is given up', async () => {
  await store.put('silent/object', Buffer.from('x'));
  proxy.silent = true;
  await expect(store.get('silent/object')).rejects.toThrow(StoreUnavailable);
  await expect(store.head('silent/object')).rejects.toThrow(StoreUnavailable);
  await expect(store.put('silent/object', Buffer.from('y'))).rejects.toThrow(StoreUnavailable);
  await expect(store.list('silent/').next()).rejects.toThrow(StoreUnavailable);
  await expect(store.delete('silent/object')).rejects.toThrow(StoreUnavailable);
});

test('a server that is not there is StoreUnavailable', async () => {
  await proxy.stop();
  await expect(store.get('some/object')).rejects.toThrow(/no answer/);
  await expect(probeStore(store)).rejects.toThrow(StoreUnavailable);
});

test('a missing bucket is said to be, whatever is asked', async () => {
  store = openS3Store(settings({ bucket: 'no-such-bucket' }));
  const message = /The bucket no-such-bucket does not exist: create it/;
  await expect(store.put('some/object', Buffer.from('x'))).rejects.toThrow(message);
  await expect(store.put('some/object', megabytes(30))).rejects.toThrow(message);
  await expect(store.get('some/object')).rejects.toThrow(message);
  await expect(store.head('some/object')).rejects.toThrow(message);
  await expect(store.list('some/').next()).rejects.toThrow(message);
  await expect(store.delete('some/object')).rejects.toThrow(message);
});

test('wrong credentials are said to be, without telling them', async () => {
  const { AWS_SECRET_ACCESS_KEY: secret = '', AWS_ACCESS_KEY_ID: id = '' } = server.environment;
  process.env['AWS_SECRET_ACCESS_KEY'] = 'another-secret-key';
  store = openS3Store(settings());
  const error: unknown = await probeStore(store).catch((error: unknown) => error);
  process.env['AWS_SECRET_ACCESS_KEY'] = secret;
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect((error as Error).message).toMatch(/refused access \(403 SignatureDoesNotMatch\)/);
  expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(new RegExp(`${id}|another-secret-key`));
});

test('two prefixes of a bucket are two stores', async () => {
  const one = openS3Store(settings({ prefix: 'one' }));
  const other = openS3Store(settings({ prefix: 'one/more' }));
  await one.put('a/b', Buffer.from('1'));
  await other.put('a/b', Buffer.from('2'));
  const keys = [];
  for await (const { key } of other.list('a/')) keys.push(key);
  expect(keys).toEqual(['a/b']);
  await other.delete('a/b');
  expect(await one.head('a/b')).toMatchObject({ key: 'a/b', bytes: 1 });
});
