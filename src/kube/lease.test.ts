import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { CallOptions } from './client.ts';
import { ConnectionError } from './errors.ts';
import { LeaderElector, type Lease } from './lease.ts';
import type { KubeObject } from './types.ts';

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** Keeps one Lease; while it is `dead` it answers nothing. */
class FakeServer {
  dead = false;
  lease: KubeObject | undefined;
  /** performance.now() of each request. */
  askedAt: number[] = [];

  async get<T extends KubeObject>(
    _resource: unknown,
    _ref: unknown,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    await this.#answer(options);
    return this.lease as T | undefined;
  }

  async create<T extends KubeObject>(_resource: unknown, object: T, options: CallOptions = {}): Promise<T> {
    await this.#answer(options);
    this.lease = object;
    return object;
  }

  async update<T extends KubeObject>(resource: unknown, object: T, options: CallOptions = {}): Promise<T> {
    return await this.create(resource, object, options);
  }

  async #answer({ timeoutMs = 30_000 }: CallOptions): Promise<void> {
    this.askedAt.push(performance.now());
    if (!this.dead) return;
    await new Promise((resolve) => setTimeout(resolve, timeoutMs));
    throw new ConnectionError('no answer');
  }
}

let server: FakeServer;
let elector: LeaderElector;
let stop: AbortController;
let ended: Promise<'stopped' | 'lost'>;

beforeEach(async () => {
  jest.useFakeTimers();
  server = new FakeServer();
  stop = new AbortController();
  elector = new LeaderElector({ client: server, namespace: 'n', name: 'leader', identity: 'me', logger: silent });
  ended = elector.run(stop.signal, async (leadership) => {
    await new Promise((resolve) => leadership.addEventListener('abort', resolve, { once: true }));
  });
  await jest.advanceTimersByTimeAsync(0);
  expect(elector.isLeading()).toBe(true);
});

afterEach(async () => {
  stop.abort();
  await jest.advanceTimersByTimeAsync(60_000);
  await ended;
  jest.useRealTimers();
});

test('connections that go silent do not cost the leadership when the fourth try is answered', async () => {
  server.dead = true;
  server.askedAt = [];
  await jest.advanceTimersByTimeAsync(7900);
  expect(server.askedAt.length).toBe(3);
  server.dead = false;
  await jest.advanceTimersByTimeAsync(5000);
  expect(elector.isLeading()).toBe(true);
});

test('a server that is away for longer ends the leadership before the lease expires', async () => {
  server.dead = true;
  await jest.advanceTimersByTimeAsync(9900);
  expect(elector.isLeading()).toBe(true);
  await jest.advanceTimersByTimeAsync(700);
  await expect(ended).resolves.toBe('lost');
});

test('a machine that was suspended, whose own clock stood still, leads no more', async () => {
  jest.setSystemTime(Date.now() + 9000);
  expect(elector.isLeading()).toBe(true);
  jest.setSystemTime(Date.now() + 2000);
  expect(elector.isLeading()).toBe(false);
  await jest.advanceTimersByTimeAsync(0);
  await expect(ended).resolves.toBe('lost');
});

test('a clock that is set back changes nothing', async () => {
  jest.setSystemTime(Date.now() - 3_600_000);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(elector.isLeading()).toBe(true);
});

test('says until when another led before', async () => {
  expect(elector.predecessorUntilMs).toBeUndefined();
  await jest.advanceTimersByTimeAsync(20_000);
  const renewedAt = (server.lease as Lease).spec?.renewTime ?? '';
  const next = new LeaderElector({ client: server, namespace: 'n', name: 'leader', identity: 'next', logger: silent });
  const over = new AbortController();
  const run = next.run(over.signal, () => Promise.resolve());
  server.dead = true;
  await jest.advanceTimersByTimeAsync(30_000);
  server.dead = false;
  await jest.advanceTimersByTimeAsync(30_000);
  over.abort();
  await run;
  expect(next.predecessorUntilMs).toBe(Date.parse(renewedAt));
});

async function leadOnce(elect: LeaderElector): Promise<void> {
  const over = new AbortController();
  const ran = elect.run(over.signal, () => Promise.resolve());
  await jest.advanceTimersByTimeAsync(30_000);
  over.abort();
  await ran;
}

test('where the Lease is made anew, it says of none who led before', async () => {
  stop.abort();
  await jest.advanceTimersByTimeAsync(5_000);
  const next = new LeaderElector({ client: server, namespace: 'n', name: 'leader', identity: 'next', logger: silent });
  await leadOnce(next);
  expect(next.predecessorUntilMs).toBeDefined();
  server.lease = undefined;
  await leadOnce(next);
  expect(next.predecessorUntilMs).toBeUndefined();
});
