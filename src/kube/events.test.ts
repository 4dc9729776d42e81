import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { unlessAborted } from './abortable.ts';
import type { CallOptions } from './client.ts';
import { ApiError } from './errors.ts';
import { EventRecorder, truncateBytes } from './events.ts';
import type { EventRecorderOptions } from './events.ts';
import { KubeMetrics } from './metrics.ts';
import type { KubeObject, ObjectReference, Resource } from './types.ts';

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const regarding = { metadata: { namespace: 'n', name: 'x', uid: 'u' } };
const FACT = { type: 'Warning', reason: 'TokenMissing', message: 'the Secret has no token' } as const;

function nothing(): void {}

/** An API server that keeps the Events it was sent, or refuses them. */
class FakeServer {
  calls: string[] = [];
  error: Error | undefined;
  /** What each answer waits for. */
  gate: Promise<unknown> = Promise.resolve();
  events = new Set<string>();

  async create<T extends KubeObject>(_resource: Resource<T>, object: T, options: CallOptions = {}): Promise<T> {
    await this.#answer('create', options);
    this.events.add(object.metadata.name);
    return object;
  }

  async patch<T extends KubeObject>(
    _resource: Resource<T>,
    ref: ObjectReference,
    body: unknown,
    options: CallOptions,
  ): Promise<T> {
    await this.#answer(`patch ${(body as { series: { count: number } }).series.count}`, options);
    if (!this.events.has(ref.name)) throw new ApiError('no such Event', { status: 404 });
    return { metadata: ref } as T;
  }

  async get<T extends KubeObject>(): Promise<T | undefined> {
    return await Promise.resolve(undefined);
  }

  async #answer(call: string, { signal }: CallOptions): Promise<void> {
    signal?.throwIfAborted();
    this.calls.push(call);
    if (signal === undefined) await this.gate;
    else await unlessAborted(this.gate, signal);
    if (this.error !== undefined) throw this.error;
  }
}

let server: FakeServer;
let metrics: KubeMetrics;

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer();
  metrics = new KubeMetrics({ registry: new Registry() });
});

afterEach(() => {
  jest.useRealTimers();
});

function recorder(options: Partial<EventRecorderOptions> = {}): EventRecorder {
  return new EventRecorder({
    client: server,
    reportingController: 'example.com/tests',
    reportingInstance: 'tests-0',
    logger: silent,
    metrics,
    ...options,
  });
}

const settle = async (ms = 0): Promise<void> => await jest.advanceTimersByTimeAsync(ms);

async function dropped(): Promise<number | undefined> {
  return (await metrics.eventsDropped.get()).values[0]?.value;
}

describe('a fact that is seen again', () => {
  test('after its Event could not be made, is made an Event', async () => {
    const recording = recorder();
    server.error = new ApiError('busy', { status: 503 });
    recording.record(regarding, FACT);
    await settle();
    server.error = undefined;
    recording.record(regarding, FACT);
    await settle();
    expect([server.calls, server.events.size, await dropped()]).toEqual([['create', 'create'], 1, 1]);
  });

  test('after there was no room for its Event, is made an Event', async () => {
    const recording = recorder({ perObject: 1000 });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.gate = promise;
    for (let count = 0; count < 100; count += 1) recording.record(regarding, { ...FACT, message: `fact ${count}` });
    recording.record(regarding, FACT);
    expect(await dropped()).toBe(1);
    resolve();
    await settle();
    recording.record(regarding, FACT);
    await settle();
    expect(server.events.size).toBe(101);
  });

  test('after its Event has expired, is made an Event', async () => {
    const recording = recorder();
    recording.record(regarding, FACT);
    recording.record(regarding, FACT);
    await settle();
    server.events.clear();
    await settle(300_000);
    recording.record(regarding, FACT);
    await settle();
    expect([server.calls, server.events.size]).toEqual([['create', 'patch 2', 'create'], 1]);
  });

  test('is counted within the interval, once, without anything else happening', async () => {
    const recording = recorder();
    for (let count = 0; count < 5; count += 1) recording.record(regarding, FACT);
    await settle(299_000);
    expect(server.calls).toEqual(['create']);
    await settle(1000);
    expect(server.calls).toEqual(['create', 'patch 5']);
    await settle(3_600_000);
    expect(server.calls).toEqual(['create', 'patch 5']);
    recording.record(regarding, FACT);
    recording.record(regarding, FACT);
    await recording.stop();
  });
});

test('a stop waits for the server no longer than it may, and sends nothing afterwards', async () => {
  const recording = recorder();
  server.gate = new Promise(() => undefined);
  for (let count = 0; count < 5; count += 1) recording.record(regarding, { ...FACT, message: `fact ${count}` });
  let stopped = false;
  void recording.stop(1000).then(() => {
    stopped = true;
  });
  await settle(999);
  expect(stopped).toBe(false);
  await settle(1);
  expect(stopped).toBe(true);
  await settle(60_000);
  expect([server.calls, server.events.size, await dropped()]).toEqual([['create'], 0, 5]);
});

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'abc'],
  ['añb', 2, 'a'],
  ['a🚀', 4, 'a'],
  ['🚀🚀', 7, '🚀'],
])('%p cut to %d bytes is %p', (text, max, cut) => {
  expect(truncateBytes(text, max)).toBe(cut);
});
