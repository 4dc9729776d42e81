/** The folder and S3 behave alike: each test runs against both, S3 being a real server. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createStore, probeStore } from '../../src/store/create-store.ts';
import { ObjectTooLarge, type ByteRange, type ObjectStore } from '../../src/store/object-store.ts';
import { readStoreSettings } from '../../src/store/settings.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';
import { onSmallDisk } from '../support/small-disk.ts';

const PART = 8 * 1024 * 1024;
const CHILD = join(import.meta.dirname, '../support/store-child.ts');
const SMALL_DISK = 24_000_000;

interface Bed {
  store: ObjectStore;
  /** With which another process opens the same store. */
  environment: Record<string, string>;
  stop(): Promise<void>;
}

async function folderBed(): Promise<Bed> {
  const folder = await mkdtemp(join(tmpdir(), 'infer-store-'));
  const environment = { INFER_STORE_FOLDER: folder };
  const stop = async (): Promise<void> => await rm(folder, { recursive: true, force: true });
  return { store: await createStore(readStoreSettings(environment)), environment, stop };
}

async function s3Bed(): Promise<Bed> {
  const server = await startS3Server();
  Object.assign(process.env, server.environment);
  const stop = async (): Promise<void> => await server.stop();
  return { store: await createStore(readStoreSettings(server.environment)), environment: server.environment, stop };
}

function child(environment: Record<string, string>, command: string): [string, string[], { env: NodeJS.ProcessEnv }] {
  return [process.execPath, ['--expose-gc', CHILD, command], { env: { PATH: process.env['PATH'], ...environment } }];
}

/** Runs a command of store-child.ts and returns what it printed. */
async function outcome(environment: Record<string, string>, command: string, through?: string): Promise<unknown> {
  const [program, words, options] = child(environment, command);
  const [first = '', ...rest] =
    through === undefined ? [program, ...words] : onSmallDisk(through, SMALL_DISK, 'unused', [program, ...words]);
  return JSON.parse((await promisify(execFile)(first, rest, options)).stdout);
}

async function* pieces(...contents: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* contents;
}

/** Bytes of which no two parts are alike. */
function bytesOf(length: number): Buffer {
  const content = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) content.writeUInt32LE(at, at);
  return content;
}

async function* broken(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
  throw new Error('the client went away');
}

async function* stalled(content: Buffer, sent: () => void): AsyncGenerator<Buffer> {
  yield content;
  sent();
  await new Promise(() => undefined);
}

describe.each([
  ['folder', folderBed],
  ['s3', s3Bed],
])('%s', (kind, open) => {
  let bed: Bed;
  let store: ObjectStore;

  const content = async (key: string, range?: ByteRange): Promise<Buffer | undefined> => {
    const found = await store.get(key, range === undefined ? {} : { range });
    return found && (await buffer(found.content));
  };
  const keys = async (prefix: string, after?: string): Promise<string[]> => {
    const found = [];
    for await (const { key } of store.list(prefix, after === undefined ? {} : { after })) found.push(key);
    return found;
  };

  beforeAll(async () => {
    bed = await open();
    store = bed.store;
    // The first time the S3 server is built.
  }, 600_000);

  afterAll(async () => {
    await bed.stop();
  });

  test('the probe of a store that works says nothing', async () => {
    await probeStore(store);
    await probeStore(store);
  });

  test.each([0, 1, 100_000, PART - 1, PART, PART + 1, 3 * PART + 7])(
    '%i bytes come back as they were',
    async (size) => {
      const whole = bytesOf(size);
      const before = Date.now();
      const cuts = [0, Math.floor(size / 3), Math.floor(size / 2), size];
      const source = pieces(...cuts.slice(1).map((cut, index) => whole.subarray(cuts[index], cut)));
      expect(await store.put('sizes/object', source)).toBe(size);
      expect((await content('sizes/object'))?.equals(whole)).toBe(true);
      const found = await store.head('sizes/object');
      expect(found).toEqual({ key: 'sizes/object', bytes: size, writtenAtMs: expect.any(Number) });
      // S3 knows seconds only.
      expect(Math.abs((found?.writtenAtMs ?? 0) - before)).toBeLessThan(30_000);
    },
  );

  test('a buffer is a source', async () => {
    expect(await store.put('buffer', Buffer.from('content'))).toBe(7);
    expect(String(await content('buffer'))).toBe('content');
  });

  test('what is not there is undefined, and can be deleted', async () => {
    expect(await store.get('absent/object')).toBeUndefined();
    expect(await store.head('absent/object')).toBeUndefined();
    expect(await keys('absent/')).toEqual([]);
    await store.delete('absent/object');
  });

  test('a deleted object is gone and its neighbour stays', async () => {
    await store.put('deleted/one', Buffer.from('x'));
    await store.put('deleted/two', Buffer.from('x'));
    await store.delete('deleted/one');
    expect(await store.head('deleted/one')).toBeUndefined();
    expect(await keys('deleted/')).toEqual(['deleted/two']);
  });

  test.each([
    ['empty', ''],
    ['absolute', '/a'],
    ['a folder', 'a/'],
    ['with an empty part', 'a//b'],
    ['above', '../a'],
    ['back', 'a/../b'],
    ['here', './a'],
    ['hidden', 'a/.b'],
    ['with a space', 'a b'],
    ['not ASCII', 'ä'],
    ['with a long part', 'a'.repeat(256)],
    ['long', `${'a/'.repeat(256)}a`],
  ])('a key that is %s is a defect', async (_, key) => {
    await expect(store.put(key, Buffer.from('x'))).rejects.toThrow(TypeError);
    await expect(store.get(key)).rejects.toThrow(TypeError);
    await expect(store.head(key)).rejects.toThrow(TypeError);
    await expect(store.delete(key)).rejects.toThrow(TypeError);
  });

  test.each([
    ['some', { from: 10, to: 19 }, 10, 20],
    ['one', { from: 0, to: 0 }, 0, 1],
    ['to the end', { from: 990 }, 990, 1_000],
    ['beyond the end', { from: 990, to: 5_000 }, 990, 1_000],
    ['all', { from: 0 }, 0, 1_000],
    ['none', { from: 1_000 }, 0, 0],
    ['none, far beyond', { from: 2_000, to: 3_000 }, 0, 0],
  ])('a range of %s', async (_, range, from, end) => {
    const whole = bytesOf(1_000);
    await store.put('ranges/object', whole);
    const found = await store.get('ranges/object', { range });
    expect(found?.bytes).toBe(1_000);
    expect(await content('ranges/object', range)).toEqual(whole.subarray(from, end));
    found?.content.destroy();
  });

  test('an empty object has empty ranges', async () => {
    await store.put('ranges/empty', Buffer.alloc(0));
    expect(await content('ranges/empty', { from: 0 })).toEqual(Buffer.alloc(0));
  });

  test('listings come in the order of keys, after one', async () => {
    const names = ['b', 'a/b', 'a-b', 'a.b/c', 'a/a/z', 'A', '0', 'a_b', 'a/c', 'aa'].map((name) => `order/${name}`);
    for (const name of names) await store.put(name, Buffer.from(name));
    await store.put('orders/other', Buffer.from('x'));
    const sorted = names.sort();
    expect(await keys('order/')).toEqual(sorted);
    for (const [index, after] of sorted.entries()) expect(await keys('order/', after)).toEqual(sorted.slice(index + 1));
    expect(await keys('order/', 'order/a/b0')).toEqual(sorted.filter((key) => key > 'order/a/b0'));
    expect(await keys('order/a/')).toEqual(['order/a/a/z', 'order/a/b', 'order/a/c']);
  });

  test('more objects than a page are listed once each', async () => {
    const names = Array.from({ length: 1_100 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
    for (let from = 0; from < names.length; from += 20) {
      await Promise.all(names.slice(from, from + 20).map(async (name) => await store.put(name, Buffer.from('x'))));
    }
    expect(await keys('many/')).toEqual(names);
    expect(await keys('many/', names[1_049])).toEqual(names.slice(1_050));
  });

  test('a listing goes on while objects are deleted', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `shrinking/${index + 10}`);
    for (const name of names) await store.put(name, Buffer.from('x'));
    const seen = [];
    for await (const { key } of store.list('shrinking/')) {
      seen.push(key);
      await store.delete(key);
    }
    expect(seen).toEqual(names);
    expect(await keys('shrinking/')).toEqual([]);
  });

  test.each([300_000, PART + 300_000])('readers of %i bytes see one object or the other, whole', async (size) => {
    const letters = ['a', 'b', 'c'];
    const progress = { done: false };
    await store.put('replaced/object', Buffer.alloc(size, 'a'));
    const write = async (): Promise<void> => {
      for (let round = 0; round < 24; round += 1) {
        await store.put('replaced/object', Buffer.alloc(size, letters[round % 3]));
      }
      progress.done = true;
    };
    const read = async (): Promise<void> => {
      while (!progress.done) {
        const found = await content('replaced/object');
        expect(found?.length).toBe(size);
        expect(found?.equals(Buffer.alloc(size, found.subarray(0, 1)))).toBe(true);
      }
    };
    await Promise.all([write(), read(), read()]);
  });

  test.each([1_000, 3 * PART])('a source that breaks after %i bytes changes nothing', async (size) => {
    await store.put('broken/object', Buffer.from('old'));
    await expect(store.put('broken/object', broken(bytesOf(size)))).rejects.toThrow('the client went away');
    await expect(store.put('broken/new', broken(bytesOf(size)))).rejects.toThrow('the client went away');
    expect(String(await content('broken/object'))).toBe('old');
    expect(await keys('broken/')).toEqual(['broken/object']);
  });

  test.each([1_000, 2 * PART])('one byte above %i is too large, and changes nothing', async (maxBytes) => {
    let ended = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        yield bytesOf(maxBytes);
        for (;;) yield Buffer.from('x');
      } finally {
        ended = true;
      }
    }
    await store.put('large/object', Buffer.from('old'));
    await expect(store.put('large/object', source(), { maxBytes })).rejects.toThrow(ObjectTooLarge);
    expect(ended).toBe(true);
    expect(String(await content('large/object'))).toBe('old');
    expect(await store.put('large/object', pieces(bytesOf(maxBytes)), { maxBytes })).toBe(maxBytes);
  });

  test.each([1_000, 3 * PART])('a put is aborted while its source is silent after %i bytes', async (size) => {
    const controller = new AbortController();
    const reason = new Error('the process ends');
    const source = stalled(bytesOf(size), () => controller.abort(reason));
    await expect(store.put('aborted/put', source, { signal: controller.signal })).rejects.toBe(reason);
    expect(await store.head('aborted/put')).toBeUndefined();
    await expect(store.put('aborted/put', Buffer.from('x'), { signal: controller.signal })).rejects.toBe(reason);
    expect(await store.head('aborted/put')).toBeUndefined();
  });

  test('a get is aborted while it is read', async () => {
    await store.put('aborted/get', bytesOf(2 * PART));
    const controller = new AbortController();
    const found = await store.get('aborted/get', { signal: controller.signal });
    const read = async (stream: Readable): Promise<void> => {
      for await (const _ of stream) controller.abort();
    };
    await expect(read(found?.content as Readable)).rejects.toMatchObject({ name: 'AbortError' });
    await expect(store.get('aborted/get', { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('a writer that is killed leaves nothing of its object', async () => {
    await store.put('a/held', Buffer.from('old'));
    const [program, words, options] = child(bed.environment, 'hold');
    const writer = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(writer.stdout, 'data');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    store = await createStore(readStoreSettings(bed.environment));
    expect(String(await content('a/held'))).toBe('old');
    expect(await keys('a/')).toEqual(['a/held']);
  });

  test('a full disk is said to be, and leaves what was there', async () => {
    const server: S3Server | undefined = kind === 's3' ? await startS3Server({ diskBytes: SMALL_DISK }) : undefined;
    const folder = await mkdtemp(join(tmpdir(), 'infer-full-'));
    await mkdir(folder, { recursive: true });
    const environment = server?.environment ?? { INFER_STORE_FOLDER: folder };
    const found = await outcome(environment, 'fill', server === undefined ? folder : undefined);
    expect(found).toEqual({ refused: [true, true], old: 1_000_000, after: 2_000_000 });
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('the memory that 200 MB take is bounded', async () => {
    const found = (await outcome(bed.environment, 'measure')) as { writing: number; reading: number; read: number };
    expect(found.read).toBe(200_000_000);
    expect(found.writing).toBeLessThan(100_000_000);
    expect(found.reading).toBeLessThan(100_000_000);
  });
});
