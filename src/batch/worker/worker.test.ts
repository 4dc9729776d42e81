/** What a batch comes to, by its input and by what happens on the way. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { BatchWorld, inputLine, inputLines, NAMESPACE } from '../../../test/support/batch-world.ts';
import type { Process } from '../../../test/support/batch-world.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { unlessAborted } from '../../kube/abortable.ts';
import { ApiError } from '../../kube/errors.ts';
import { StoreFull, StoreUnavailable } from '../../store/object-store.ts';
import { FileRepository } from '../files/file-repository.ts';
import { sweep } from '../files/sweep.ts';
import { contentKey, metaKey } from '../files/file-object.ts';
import { GatewaysUnavailable, KeyRefused } from '../gateway.ts';
import { MOST_UNSAVED } from './lanes.ts';
import { FINALIZER } from './state.ts';

let running: Process[] = [];

function start(world: BatchWorld): Process {
  const process = world.start();
  running.push(process);
  return process;
}

afterEach(async () => {
  await Promise.all(running.map(async ({ worker }) => await worker.stop(0)));
  running = [];
});

async function reaches(world: BatchWorld, state: string | undefined, name?: string): Promise<void> {
  await eventually(() => expect(world.state(name)).toBe(state), 5000, 10);
}

function message(world: BatchWorld): string | undefined {
  return world.batch()?.status?.conditions?.[0]?.message;
}

const line = (id: string): string => inputLine(id);
const long = 'x'.repeat(10 * 1024 * 1024);

describe('an input that is good', () => {
  test.each([
    ['lines that end with a newline', `${line('a')}\n${line('b')}\n`],
    ['no newline at the end', `${line('a')}\n${line('b')}`],
    ['CRLF', `${line('a')}\r\n${line('b')}\r\n`],
    ['a byte order mark', `\uFEFF${line('a')}\n${line('b')}\n`],
    ['blank lines', `\n${line('a')}\n\n \t\r\n${line('b')}\n\n`],
    ['a carriage return at the very end', `${line('a')}\n${line('b')}\r`],
  ])('with %s', async (_sentence, content) => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile(content));
    start(world);
    await reaches(world, 'Completed');
    const status = world.batch()?.status;
    expect(await world.lines(status?.outputFileId)).toEqual(
      ['a', 'b'].map((id) => ({
        id: expect.stringMatching(/^batch_req_[0-9a-f]{32}$/),
        custom_id: id,
        response: { status_code: 200, request_id: expect.any(String), body: expect.objectContaining({ echo: id }) },
        error: null,
      })),
    );
    expect(status?.errorFileId).toBeUndefined();
    expect(status).toMatchObject({ deployment: 'llama', model: 'llama', neededReplicas: 0 });
  });

  test('is sent as it stands, byte for byte, and so is the answer kept', async () => {
    const world = new BatchWorld();
    const body = '{ "model":"llama","seed":12345678901234567890, "messages":[{"content":"a"}],"top_p":1.0}';
    const answer = '{"big": 12345678901234567890,\n "echo":"é"}';
    const bodies: string[] = [];
    world.respond = async (_body, raw) => {
      bodies.push(raw.toString('utf8'));
      return { body: Buffer.from(answer) };
    };
    const content = `{"custom_id":"a","body":{"model":"other"},"method":"POST","url":"/v1/chat/completions","body":${body}}\n`;
    world.addBatch(await world.addFile(content));
    start(world);
    await reaches(world, 'Completed');
    expect(bodies).toEqual([body]);
    const output = await world.text(contentKey(NAMESPACE, world.batch()?.status?.outputFileId ?? ''));
    expect(output).toContain(`"body":${answer.replace('\n', ' ')}},"error":null}\n`);
  });
});

describe('an input that is not good', () => {
  test.each([
    ['is empty', '', { code: 'empty_file' }],
    ['has blank lines only', '\n \r\n\n', { code: 'empty_file' }],
    ['is no JSON', `${line('a')}\n{"custom_id":\n`, { code: 'invalid_json_line', line: 2 }],
    ['is a list', `[1]\n`, { code: 'invalid_json_line', line: 1 }],
    [
      'is no UTF-8',
      Buffer.concat([Buffer.from('{"custom_id":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      { code: 'invalid_json_line', line: 1 },
    ],
    [
      'lacks a custom_id',
      inputLine('a', { custom_id: undefined }),
      { code: 'missing_required_parameter', param: 'custom_id', line: 1 },
    ],
    [
      'lacks a body',
      inputLine('a', { body: undefined }),
      { code: 'missing_required_parameter', param: 'body', line: 1 },
    ],
    [
      'lacks a model',
      inputLine('a', {}, { model: undefined }),
      { code: 'missing_required_parameter', param: 'body.model', line: 1 },
    ],
    ['has another url', inputLine('a', { url: '/v1/embeddings' }), { code: 'invalid_url', param: 'url', line: 1 }],
    ['has another method', inputLine('a', { method: 'GET' }), { code: 'invalid_method', param: 'method', line: 1 }],
    [
      'asks for a stream',
      inputLine('a', {}, { stream: true }),
      { code: 'streaming_unsupported', param: 'body.stream', line: 1 },
    ],
    [
      'has an unknown model',
      inputLine('a', {}, { model: 'nope' }),
      { code: 'model_not_found', param: 'body.model', line: 1 },
    ],
    [
      'has two models',
      `${line('a')}\n${inputLine('b', {}, { model: 'other' })}`,
      { code: 'mismatched_model', param: 'body.model', line: 2 },
    ],
    [
      'has an id twice',
      `${line('a')}\n${line('b')}\n${line('a')}`,
      { code: 'duplicate_custom_id', param: 'custom_id', line: 3 },
    ],
    ['has a line of 10 MB', `${line('a')}\n${inputLine(long)}\n`, { code: 'request_too_large', line: 2 }],
    ['has 50,001 lines', inputLines(50_001), { code: 'too_many_requests' }],
  ])('%s', async (_sentence, content, error) => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile(content));
    start(world);
    await reaches(world, 'Failed');
    const status = world.batch()?.status;
    expect(status?.errors).toEqual([{ message: expect.any(String), ...error }]);
    expect(status?.errorCount).toBe(1);
    expect(status?.failedAt).toBeDefined();
    expect(message(world)).toContain(status?.errors?.[0]?.message);
    expect(world.sent).toEqual([]);
    expect(world.keys('batches/')).toEqual([`batches/${NAMESPACE}/uid-labels/errors`]);
  });

  test('has all that is wrong in the store, and the first 20 in its status', async () => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile('{}\n'.repeat(30)));
    start(world);
    await reaches(world, 'Failed');
    const errors = (await world.text(`batches/${NAMESPACE}/uid-labels/errors`)) ?? '';
    expect(errors.trim().split('\n')).toHaveLength(120);
    expect(world.batch()?.status).toMatchObject({ errorCount: 120 });
    expect(world.batch()?.status?.errors).toHaveLength(20);
    expect(JSON.parse(errors.split('\n')[119] ?? '')).toMatchObject({ line: 30 });
  });

  test('has no more than 2 MiB of errors in the store, and all in its count', async () => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile('{}\n'.repeat(20_000)));
    start(world);
    await reaches(world, 'Failed');
    const errors = (await world.text(`batches/${NAMESPACE}/uid-labels/errors`)) ?? '';
    expect(errors.length).toBeGreaterThan(2_000_000);
    expect(errors.length).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(world.batch()?.status?.errorCount).toBe(80_000);
  });

  test.each([
    ['was never there', async () => `file-${'0'.repeat(32)}`],
    ['is an output', async (world: BatchWorld) => await world.addFile(inputLines(1), 'batch_output')],
    [
      'has expired',
      async (world: BatchWorld) => {
        const id = await world.addFile(inputLines(1), 'batch', 3600);
        world.wallOffsetMs = 2 * 3_600_000;
        return id;
      },
    ],
  ])('fails where the file %s', async (_sentence, file) => {
    const world = new BatchWorld();
    world.addBatch(await file(world));
    start(world);
    await reaches(world, 'Failed');
    expect(world.batch()?.status?.errors).toMatchObject([{ code: 'invalid_request', param: 'file_id' }]);
  });

  test('fails where the key is refused', async () => {
    const world = new BatchWorld();
    world.resolving = () => {
      throw new KeyRefused('no');
    };
    world.addBatch(await world.addFile(inputLines(1)));
    start(world);
    await reaches(world, 'Failed');
    expect(world.batch()?.status?.errors).toMatchObject([{ code: 'invalid_api_key' }]);
    expect(message(world)).toContain('nightly');
  });
});

describe('while it runs', () => {
  test('answers from 400 on are in the error file, with what was answered', async () => {
    const world = new BatchWorld();
    world.respond = async () => ({ status: 400, body: Buffer.from('no JSON\n') });
    world.addBatch(await world.addFile(inputLines(2)));
    start(world);
    await reaches(world, 'Completed');
    const status = world.batch()?.status;
    expect(status?.outputFileId).toBeUndefined();
    expect(await world.lines(status?.errorFileId)).toMatchObject([
      { response: { status_code: 400, body: 'no JSON\n' }, error: null },
      { response: { status_code: 400 }, error: null },
    ]);
    expect(status?.requests).toEqual({ total: 2, completed: 0, failed: 2 });
  });

  test.each([429, 502, 503, 504, 'no gateway'])(
    '%s is tried again until it works',
    async (status) => {
      const world = new BatchWorld();
      let tries = 0;
      world.respond = async () => {
        tries += 1;
        if (tries > 2) return {};
        if (typeof status === 'string') throw new GatewaysUnavailable(status);
        return { status };
      };
      world.addBatch(await world.addFile(inputLines(1)));
      start(world);
      await eventually(() => expect(world.state()).toBe('Completed'));
      expect(world.batch()?.status?.requests).toMatchObject({ completed: 1 });
    },
    15_000,
  );

  test('500 is its result at the third time', async () => {
    const world = new BatchWorld();
    world.respond = async () => ({ status: 500, body: Buffer.from('{"error":{"code":"engine_error"}}') });
    world.addBatch(await world.addFile(inputLines(1)));
    start(world);
    await eventually(() => expect(world.state()).toBe('Completed'));
    expect(world.sent).toHaveLength(3);
  });

  test.each([
    [
      'the key',
      { status: 401, body: Buffer.from('{"error":{"code":"invalid_api_key"}}') },
      /APIKey nightly .* within 10 minutes/,
    ],
    [
      'the model',
      { status: 404, body: Buffer.from('{"error":{"code":"model_not_found"}}') },
      /model .* within 10 minutes/,
    ],
  ])(
    '%s that is gone is waited for, with a message and no replicas, and then is what each request comes to',
    async (_sentence, refusal, sentence) => {
      const world = new BatchWorld();
      world.respond = async () => (world.sent.length > 4 ? refusal : {});
      world.addBatch(await world.addFile(inputLines(12)));
      start(world);
      await eventually(() => expect(world.sent.length).toBeGreaterThan(5));
      await eventually(() => expect(message(world)).toMatch(sentence));
      expect(world.batch()?.status?.neededReplicas).toBe(0);
      expect(world.state()).toBe('InProgress');
      world.monotonicOffsetMs = 11 * 60_000;
      await eventually(() => expect(world.state()).toBe('Completed'));
      const status = world.batch()?.status;
      expect(status?.requests).toEqual({ total: 12, completed: 4, failed: 8 });
      expect(await world.lines(status?.errorFileId)).toMatchObject(
        Array.from({ length: 8 }, () => ({ response: { status_code: refusal.status }, error: null })),
      );
    },
    40_000,
  );

  test('an input that is deleted meanwhile: what was not read of it is in the error file', async () => {
    const world = new BatchWorld();
    // Longer than what is read at once.
    const filler = 'x'.repeat(200_000);
    const content = Array.from({ length: 20 }, (_, index) => `${inputLine(`request-${index}`, {}, { filler })}\n`).join(
      '',
    );
    const id = await world.addFile(content);
    world.respond = async () => {
      world.store.objects.delete(metaKey(NAMESPACE, id));
      world.store.objects.delete(contentKey(NAMESPACE, id));
      return {};
    };
    world.addBatch(id);
    start(world);
    await reaches(world, 'Completed');
    const { status } = world.batch() ?? {};
    const errors = await world.lines(status?.errorFileId);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toMatchObject({ response: null, error: { code: 'input_file_deleted' } });
    const output = await world.lines(status?.outputFileId);
    expect(new Set([...output, ...errors].map((result) => result['custom_id'])).size).toBe(20);
  });

  test('a store that is full is said so, nothing is lost, and soon nothing more is sent', async () => {
    const world = new BatchWorld();
    let full = true;
    world.wrapStore = (store) => ({
      put: async (key, source, options) => {
        if (full && key.includes('/output/')) throw new StoreFull('no room');
        return await store.put(key, source, options);
      },
      get: async (key, options) => await store.get(key, options),
      head: async (key) => await store.head(key),
      list: (prefix, options) => store.list(prefix, options),
      delete: async (key) => await store.delete(key),
    });
    world.addBatch(await world.addFile(inputLines(300)));
    start(world);
    await eventually(() => expect(message(world)).toMatch(/full/));
    await eventually(() => expect(world.sent.length).toBeGreaterThanOrEqual(MOST_UNSAVED));
    // The first that waits is one of those in flight.
    expect(world.sent.length).toBeLessThanOrEqual(MOST_UNSAVED + 8);
    expect(world.batch()?.status?.neededReplicas).toBe(1);
    world.monotonicOffsetMs = 6 * 60_000;
    await eventually(() => expect(world.batch()?.status?.neededReplicas).toBe(0));
    full = false;
    await eventually(() => expect(world.state()).toBe('Completed'));
    expect(await world.lines(world.batch()?.status?.outputFileId)).toHaveLength(300);
    expect(world.sent).toHaveLength(300);
  });

  test.each<[string, (key: string, known: ReadonlySet<string>) => boolean]>([
    ['the content of the second file', (key, known) => key.includes('/content/') && known.size > 0],
    ['the object of a file', (key) => key.includes('/meta/')],
  ])('no answer is lost where a sweep comes while there is no room for %s', async (_, hasNoRoom) => {
    const world = new BatchWorld();
    world.respond = async (body) => (JSON.stringify(body).includes('request-3"') ? { status: 400 } : {});
    world.addBatch(await world.addFile(inputLines(10)));
    let full = true;
    const contents = new Set<string>();
    world.wrapStore = (store) => ({
      put: async (key, source, options) => {
        if (full && !contents.has(key) && hasNoRoom(key, contents)) throw new StoreFull('no room');
        if (key.includes('/content/')) contents.add(key);
        return await store.put(key, source, options);
      },
      get: async (key, options) => await store.get(key, options),
      head: async (key) => await store.head(key),
      list: (prefix, options) => store.list(prefix, options),
      delete: async (key) => await store.delete(key),
    });
    start(world);
    await eventually(() => expect(message(world)).toMatch(/full/));
    const options = { nowMs: Date.now() + 25 * 3_600_000, signal: new AbortController().signal };
    await sweep(world.store, new FileRepository(world.store, console), options);
    full = false;
    await reaches(world, 'Completed');
    const { outputFileId, errorFileId } = world.batch()?.status ?? {};
    expect([await world.lines(outputFileId), await world.lines(errorFileId)].map(({ length }) => length)).toEqual([
      9, 1,
    ]);
  });

  test('a store that is away when a process takes a batch over: after some minutes the batch keeps no replicas', async () => {
    const world = new BatchWorld();
    world.respond = async () => await new Promise<object>(() => undefined);
    world.addBatch(await world.addFile(inputLines(2)));
    const first = world.start();
    await eventually(() => expect(world.sent).toHaveLength(2));
    first.kill();
    expect(world.batch()?.status?.neededReplicas).toBe(1);
    let away = true;
    world.wrapStore = (store) => ({
      put: async (key, source, options) => await store.put(key, source, options),
      get: async (key, options) => {
        if (away && key.endsWith('/lines')) throw new StoreUnavailable('away');
        return await store.get(key, options);
      },
      head: async (key) => await store.head(key),
      list: (prefix, options) => store.list(prefix, options),
      delete: async (key) => await store.delete(key),
    });
    world.respond = async () => ({});
    start(world);
    await eventually(() => expect(message(world)).toMatch(/cannot be reached/));
    world.monotonicOffsetMs = 6 * 60_000;
    await eventually(() => expect(world.batch()?.status?.neededReplicas).toBe(0));
    away = false;
    await eventually(() => expect(world.state()).toBe('Completed'));
  }, 20_000);

  test('a batch that gets nothing but 502 for minutes says so, and keeps no replicas until it gets on', async () => {
    const world = new BatchWorld();
    world.respond = async () => ({ status: 502, retryAfterSeconds: 60 });
    world.addBatch(await world.addFile(inputLines(2)));
    start(world);
    await eventually(() => expect(message(world)).toMatch(/502/));
    expect(world.batch()?.status?.neededReplicas).toBe(1);
    world.monotonicOffsetMs = 6 * 60_000;
    await eventually(() => expect(world.batch()?.status?.neededReplicas).toBe(0));
    world.respond = async () => ({});
    await eventually(() => expect(world.state()).toBe('Completed'));
  }, 20_000);

  test('a clock that jumps over the end of the window ends it: what is in flight is cut off', async () => {
    const world = new BatchWorld();
    world.respond = async (_body, _raw, signal) => {
      if (world.sent.length > 3) await unlessAborted(new Promise(() => undefined), signal);
      return {};
    };
    world.addBatch(await world.addFile(inputLines(20)));
    start(world);
    await eventually(() => expect(world.sent).toHaveLength(11));
    world.wallOffsetMs = 24 * 3_600_000;
    await reaches(world, 'Expired');
    const { status } = world.batch() ?? {};
    expect(status?.requests).toEqual({ total: 20, completed: 3, failed: 17 });
    expect(await world.lines(status?.errorFileId)).toMatchObject(
      Array.from({ length: 17 }, () => ({ response: null, error: { code: 'batch_expired' } })),
    );
    expect(status?.expiredAt).toBeDefined();
  });

  test('cancelling lets what is in flight finish, and is shown at once', async () => {
    const world = new BatchWorld();
    const go = Promise.withResolvers<object>();
    world.respond = async () => await go.promise;
    world.addBatch(await world.addFile(inputLines(20)));
    start(world);
    await eventually(() => expect(world.sent).toHaveLength(8));
    world.cancel();
    await reaches(world, 'Cancelling');
    go.resolve({});
    await reaches(world, 'Cancelled');
    const { status } = world.batch() ?? {};
    expect(await world.lines(status?.outputFileId)).toHaveLength(8);
    expect(await world.lines(status?.errorFileId)).toMatchObject(
      Array.from({ length: 12 }, () => ({ response: null, error: { code: 'batch_cancelled' } })),
    );
    expect(world.sent).toHaveLength(8);
  });

  test('one whose cancelling could not be shown ends as cancelled all the same', async () => {
    const world = new BatchWorld();
    const go = Promise.withResolvers<object>();
    world.respond = async () => await go.promise;
    world.addBatch(await world.addFile(inputLines(20)));
    let refused = 0;
    running.push(
      world.start(async (operation) => {
        if (operation !== 'status Cancelling' || refused > 0) return;
        refused += 1;
        throw new ApiError('away', { status: 503 });
      }),
    );
    await eventually(() => expect(world.sent).toHaveLength(8));
    world.cancel();
    await eventually(() => expect(refused).toBe(1));
    go.resolve({});
    await reaches(world, 'Cancelled');
    expect(world.batch()?.status?.requests).toEqual({ total: 20, completed: 8, failed: 12 });
  });

  test('one that is cancelled before its start sends nothing and has no files', async () => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile(inputLines(2)), { cancel: true });
    start(world);
    await reaches(world, 'Cancelled');
    expect(world.batch()?.status).toMatchObject({ cancellingAt: expect.any(String), cancelledAt: expect.any(String) });
    expect(world.sent).toEqual([]);
  });

  test('while no gateway can be reached others are deleted all the same, and a check ends with the window', async () => {
    const world = new BatchWorld();
    world.resolving = () => {
      throw new GatewaysUnavailable('none answers');
    };
    const input = await world.addFile(inputLines(1));
    const names = Array.from({ length: 9 }, (_, index) => `labels-${index}`);
    for (const name of names) world.addBatch(input, {}, name);
    start(world);
    const validating = (): string[] => names.filter((name) => world.state(name) === 'Validating');
    await eventually(() => expect(validating()).toHaveLength(8));
    const [last = ''] = names.filter((name) => world.state(name) === undefined);
    const finalizers = [FINALIZER];
    world.edit((batch) => ({ ...batch, metadata: { ...batch.metadata, finalizers } }), last);
    world.delete(last);
    await eventually(() => expect(world.batch(last)).toBeUndefined());
    world.wallOffsetMs = 25 * 3_600_000;
    await eventually(() => expect(names.map((name) => world.state(name))).toContain('Failed'));
  }, 30_000);

  test('one that is deleted ends at once, and leaves nothing but its input', async () => {
    const world = new BatchWorld();
    world.respond = async (_body, _raw, signal) =>
      world.sent.length > 4 ? await unlessAborted(new Promise<object>(() => undefined), signal) : {};
    const input = await world.addFile(inputLines(20));
    world.addBatch(input);
    start(world);
    await eventually(() => expect(world.keys('batches/').length).toBeGreaterThan(1));
    world.delete();
    await eventually(() => expect(world.batch()).toBeUndefined());
    expect(world.keys('')).toEqual([contentKey(NAMESPACE, input), metaKey(NAMESPACE, input)]);
  });

  test('an orderly stop keeps what was answered in the time it has, and repeats none of it', async () => {
    const world = new BatchWorld();
    const go = Promise.withResolvers<object>();
    world.respond = async () => await go.promise;
    world.addBatch(await world.addFile(inputLines(10)));
    const first = start(world);
    await eventually(() => expect(world.sent).toHaveLength(8));
    const stopped = first.worker.stop(10_000);
    go.resolve({});
    await stopped;
    expect(world.state()).toBe('InProgress');
    start(world);
    await reaches(world, 'Completed');
    expect(world.sent).toHaveLength(10);
  });
});

function prefixed(prefix: string): string {
  return Array.from({ length: 16 }, (_, index) => `${inputLine(`${prefix}-${index}`)}\n`).join('');
}

test('of two batches on one deployment the one whose window ends first goes first', async () => {
  const world = new BatchWorld();
  world.load = { replicas: 0 };
  const go = Promise.withResolvers<object>();
  world.respond = async () => await go.promise;
  world.addBatch(await world.addFile(prefixed('early')), {}, 'early');
  world.wallOffsetMs = 60_000;
  world.addBatch(await world.addFile(prefixed('late')), {}, 'late');
  start(world);
  await reaches(world, 'InProgress', 'early');
  await reaches(world, 'InProgress', 'late');
  await eventually(() => expect(world.sent).toHaveLength(1));
  go.resolve({});
  await eventually(() => expect(world.state('early')).toBe('Completed'));
  expect(world.sent.slice(1, 16).every((id) => id.startsWith('early'))).toBe(true);
});

test('requests that wait to be tried again leave their room to other batches', async () => {
  const world = new BatchWorld();
  world.respond = async (_body, raw) => (raw.includes('early') ? { status: 503, retryAfterSeconds: 36_000 } : {});
  world.addBatch(await world.addFile(prefixed('early')), {}, 'early');
  world.wallOffsetMs = 60_000;
  world.addBatch(await world.addFile(prefixed('late')), {}, 'late');
  start(world);
  await reaches(world, 'Completed', 'late');
  expect(world.state('early')).toBe('InProgress');
});

test('a batch sends nothing new while a hundred of its requests wait to be tried again', async () => {
  const world = new BatchWorld();
  world.respond = async () => ({ status: 503, retryAfterSeconds: 36_000 });
  world.addBatch(await world.addFile(inputLines(200)));
  start(world);
  await eventually(() => expect(world.sent.length).toBeGreaterThanOrEqual(100));
  await new Promise((resolve) => setImmediate(resolve));
  expect(world.sent.length).toBeLessThanOrEqual(108);
});

test('batches of one deployment that do not get on leave places to those of others, keep no replicas without one, and expire', async () => {
  const world = new BatchWorld();
  world.deployments.set('stuck', { namespace: NAMESPACE, name: 'stuck' });
  world.respond = async (_body, raw) => (raw.includes('"stuck"') ? { status: 503, retryAfterSeconds: 36_000 } : {});
  const stuck = Array.from({ length: 12 }, (_, index) => `stuck-${index}`);
  const input = await world.addFile(inputLine('a', {}, { model: 'stuck' }));
  for (const name of stuck) world.addBatch(input, {}, name);
  const asking = (): number => stuck.filter((name) => world.batch(name)?.status?.neededReplicas === 1).length;
  start(world);
  await eventually(() => {
    for (const name of stuck) expect(world.state(name)).toBe('InProgress');
    expect(asking()).toBe(8);
  });
  world.addBatch(await world.addFile(inputLines(2)), {}, 'other');
  await reaches(world, 'Completed', 'other');
  expect(asking()).toBe(8);
  world.wallOffsetMs = 24 * 3_600_000;
  await eventually(() => {
    for (const name of stuck) expect(world.state(name)).toBe('Expired');
  });
}, 20_000);

describe('what cannot be done', () => {
  test('fails at once where the API server refuses its status for good, and says why', async () => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile(inputLines(1)));
    const process = world.start(async (operation) => {
      if (operation === 'status Finalizing') throw new ApiError('usage is too large', { status: 422 });
    });
    running.push(process);
    await reaches(world, 'Failed');
    expect(message(world)).toContain('usage is too large');
    expect(world.batch()?.status).toMatchObject({ errorCount: 1, neededReplicas: 0 });
  });

  test('fails an hour after its window where the store has lost its results, and not before', async () => {
    const world = new BatchWorld();
    world.addBatch(await world.addFile(inputLines(1)));
    world.wrapStore = (store) => ({
      put: async (key, source, options) => {
        const bytes = await store.put(key, source, options);
        if (key.includes('/manifest/')) await store.delete(key);
        return bytes;
      },
      get: async (key, options) => await store.get(key, options),
      head: async (key) => await store.head(key),
      list: (prefix, options) => store.list(prefix, options),
      delete: async (key) => await store.delete(key),
    });
    start(world);
    await reaches(world, 'Finalizing');
    world.wallOffsetMs = 24.5 * 3_600_000;
    const { claimed, statusWrites } = world;
    await eventually(() => expect(world.claimed).toBeGreaterThan(claimed + 1));
    expect([world.state(), world.statusWrites]).toEqual(['Finalizing', statusWrites]);
    world.wallOffsetMs = 25.5 * 3_600_000;
    await eventually(() => expect(world.state()).toBe('Failed'));
    expect(message(world)).toMatch(/neither the file file-[0-9a-f]+ nor what it is made of is in the store/);
  }, 20_000);
});

test('a batch that has ended is deleted at once, also where no process runs', async () => {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(1)), {}, 'good');
  world.addBatch(await world.addFile('{}'), {}, 'bad');
  world.addBatch(await world.addFile(inputLines(1)), { cancel: true }, 'ended');
  const { worker } = start(world);
  await reaches(world, 'Completed', 'good');
  await reaches(world, 'Failed', 'bad');
  await reaches(world, 'Cancelled', 'ended');
  await eventually(() => {
    for (const name of ['good', 'bad', 'ended']) expect(world.batch(name)?.metadata.finalizers).toEqual([]);
  });
  await worker.stop(0);
  for (const name of ['good', 'bad', 'ended']) {
    world.delete(name);
    expect(world.batch(name)).toBeUndefined();
  }
  expect(world.keys('batches/')).toEqual([`batches/${NAMESPACE}/uid-bad/errors`]);
});

test('a batch whose resource is gone without a word leaves nothing in the store', async () => {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(2)));
  running.push(
    world.start(async (operation) => {
      if (operation !== 'status Finalizing') return;
      world.edit((batch) => ({ ...batch, metadata: { ...batch.metadata, finalizers: [] } }));
      world.delete();
    }),
  );
  await eventually(() => expect(world.batch()).toBeUndefined());
  await eventually(() => expect(world.keys('batches/')).toEqual([]));
});

test('one that is cancelled just after its check leaves nothing in the store', async () => {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(2)));
  running.push(
    world.start(async (operation, phase) => {
      if (operation !== 'put batches/team-a/lines' || phase !== 'after') return;
      world.cancel();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }),
  );
  await reaches(world, 'Cancelled');
  await eventually(() => expect(world.keys('batches/')).toEqual([]));
});

test('the resource of a batch is removed 30 days after its end, and not by a clock that has just jumped', async () => {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(1)));
  start(world);
  await reaches(world, 'Completed');
  world.wallOffsetMs = 31 * 86_400_000;
  const { looks } = world;
  await eventually(() => expect(world.looks).toBeGreaterThan(looks + 3));
  expect(world.batch()).toBeDefined();
  world.wallOffsetMs += 3_600_000;
  world.monotonicOffsetMs += 3_600_000;
  await eventually(() => expect(world.batch()).toBeUndefined());
});

test('one that cannot be removed is tried again ever more seldom', async () => {
  const world = new BatchWorld();
  world.addBatch(await world.addFile(inputLines(1)));
  let tries = 0;
  running.push(
    world.start(async (operation) => {
      if (operation !== 'delete') return;
      tries += 1;
      throw new ApiError('no', { status: 403 });
    }),
  );
  await reaches(world, 'Completed');
  world.wallOffsetMs = 31 * 86_400_000;
  world.monotonicOffsetMs = 31 * 86_400_000;
  await eventually(() => expect(tries).toBeGreaterThan(0));
  // Twelve times at what is to be done, and as often at what is old: sixty seconds of the worker's.
  const { looks } = world;
  await eventually(() => expect(world.looks).toBeGreaterThan(looks + 24));
  expect(tries).toBeLessThanOrEqual(7);
});
