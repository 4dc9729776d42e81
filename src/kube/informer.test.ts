import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { ListPage, WatchOptions } from './client.ts';
import { ApiError, ConnectionError } from './errors.ts';
import { Informer } from './informer.ts';
import type { InformerOptions } from './informer.ts';
import { KubeMetrics } from './metrics.ts';
import type { KubeObject, Resource, WatchEvent } from './types.ts';

const things: Resource = { group: 'example.com', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true };
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

function thing(name: string, resourceVersion: string, labels: Record<string, string> = {}): KubeObject {
  return { metadata: { namespace: 'n', name, uid: `uid-${name}`, resourceVersion, labels } };
}

const bad = { bad: 'yes' };

/** Stands for a function that does not expect some object. */
function refuseBad(raw: KubeObject): KubeObject {
  if (raw.metadata.labels?.['bad'] === 'yes') throw new Error('a bug');
  return raw;
}

/** What an API server answers, by script. */
class FakeServer {
  version = '10';
  items: KubeObject[] = [];
  listError: Error | undefined;
  watchError: Error | undefined;
  /** How long a list takes. */
  listMs = 0;
  /** Names of the calls so far: `list`, or `watch` and from where. */
  calls: string[] = [];
  #send: ((event: WatchEvent<KubeObject>) => void) | undefined;

  /** The client's `list`; `T` is always KubeObject. */
  async list<T extends KubeObject>(): Promise<ListPage<T>> {
    this.calls.push('list');
    if (this.listMs > 0) await new Promise((resolve) => setTimeout(resolve, this.listMs));
    if (this.listError !== undefined) throw this.listError;
    return { items: [...this.items] as T[], resourceVersion: this.version };
  }

  async *watch<T extends KubeObject>(_resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    this.calls.push(`watch ${options.resourceVersion}`);
    if (this.watchError !== undefined) throw this.watchError;
    options.onOpen?.();
    let next = Promise.withResolvers<WatchEvent<KubeObject>>();
    const abort = (): void => next.reject(options.signal.reason);
    options.signal.addEventListener('abort', abort);
    const waiting: WatchEvent<KubeObject>[] = [];
    this.#send = (event) => {
      waiting.push(event);
      next.resolve(event);
    };
    for (;;) {
      await next.promise;
      next = Promise.withResolvers();
      for (const event of waiting.splice(0)) yield event as WatchEvent<T>;
      options.signal.throwIfAborted();
    }
  }

  async send(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): Promise<void> {
    this.#send?.({ type, object });
    await settle();
  }

  count(call: string): number {
    return this.calls.filter((name) => name.startsWith(call)).length;
  }
}

let server: FakeServer;
let metrics: KubeMetrics;
let informer: Informer<KubeObject>;
let changes: string[];

const settle = async (ms = 0): Promise<void> => await jest.advanceTimersByTimeAsync(ms);
const names = (): string[] => informer.list().map(({ metadata }) => metadata.name);

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer();
  metrics = new KubeMetrics({ registry: new Registry() });
  changes = [];
});

afterEach(async () => {
  const stopped = informer.stop();
  await settle(60_000);
  await stopped;
  jest.useRealTimers();
});

async function start(options: Partial<InformerOptions<KubeObject>> = {}): Promise<void> {
  informer = new Informer({
    client: server,
    resource: things,
    decode: (raw) => raw,
    metrics,
    logger: silent,
    // The server here sends no bookmarks.
    idleTimeoutMs: 2 ** 30,
    ...options,
  });
  informer.onChange(({ type, object }) => {
    changes.push(`${type} ${object.metadata.name}`);
  });
  informer.start();
  await settle();
}

/** Lets time pass until the informer has made one more call of this name. */
async function untilCall(call: string): Promise<void> {
  const before = server.count(call);
  for (let waitedMs = 0; server.count(call) === before; waitedMs += 200) {
    if (waitedMs > 3_600_000) throw new Error(`no ${call} within an hour`);
    await settle(200);
  }
}

describe('a periodic list that is older than what was seen', () => {
  test('twice, of a lagging server, changes nothing while the server has newer ones', async () => {
    server.items = [thing('alive', '9')];
    await start();
    await server.send('ADDED', thing('newer', '20'));
    for (const round of [1, 2]) {
      await untilCall('list');
      // The list that follows the end of the watch meets a server that does not lag.
      Object.assign(server, { version: '20', items: [thing('alive', '9'), thing('newer', '20')] });
      await untilCall('watch 20');
      Object.assign(server, { version: '10', items: [thing('alive', '9')] });
      expect([round, ...names()]).toEqual([round, 'alive', 'newer']);
    }
    expect(changes).toEqual(['added alive', 'added newer']);
    expect((await metrics.staleLists.get()).values[0]?.value).toBe(2);
  });

  test('of a server restored from a backup is taken after a minute of lists that say the same', async () => {
    server.items = [thing('kept', '9')];
    await start();
    await server.send('ADDED', thing('lost', '20'));
    await server.send('DELETED', thing('kept', '21'));
    await untilCall('list');
    await settle(50_000);
    expect(names()).toEqual(['lost']);
    await settle(100_000);
    expect(names()).toEqual(['kept']);
    expect(server.calls.at(-1)).toBe('watch 10');
  });
});

describe('a periodic list', () => {
  test('that fails is tried again soon', async () => {
    await start();
    server.listError = new ConnectionError('no answer');
    await untilCall('list');
    server.listError = undefined;
    await settle(2000);
    expect(server.count('list')).toBe(3);
    await settle(400_000);
    expect(server.count('list')).toBe(3);
  });

  test('that shows what was missed leads to a list and a new watch from there', async () => {
    await start();
    Object.assign(server, { version: '30', items: [thing('missed', '25')] });
    await untilCall('watch');
    expect(server.calls).toEqual(['list', 'watch 10', 'list', 'list', 'watch 30']);
    expect(changes).toEqual(['added missed']);
    expect((await metrics.watchMissed.get()).values[0]?.value).toBe(1);
  });
});

describe('an object that cannot be read', () => {
  test('hides no other one, neither in a list nor in a watch', async () => {
    server.items = [thing('bad', '5', bad), thing('good', '6')];
    await start({ decode: refuseBad });
    expect(names()).toEqual(['good']);
    await server.send('ADDED', thing('bad', '11', bad));
    await server.send('ADDED', thing('next', '12'));
    expect(names()).toEqual(['good', 'next']);
    expect(server.calls).toEqual(['list', 'watch 10']);
    expect((await metrics.objectErrors.get()).values[0]?.value).toBe(2);
  });

  test('stays as it was known, and goes when it is deleted', async () => {
    server.items = [thing('x', '5')];
    await start({ decode: refuseBad });
    await server.send('MODIFIED', thing('x', '11', bad));
    Object.assign(server, { version: '11', items: [thing('x', '11', bad)] });
    await untilCall('list');
    await settle(5000);
    expect(names()).toEqual(['x']);
    await server.send('DELETED', thing('x', '12', bad));
    expect(names()).toEqual([]);
  });
});

test('an index function that throws does not end the watch', async () => {
  await start({ indexes: { kind: (raw) => [refuseBad(raw).kind ?? ''] } });
  await server.send('ADDED', thing('bad', '11', bad));
  await server.send('ADDED', thing('good', '12'));
  expect(informer.byIndex('kind', 'Thing').map(({ metadata }) => metadata.name)).toEqual(['good']);
  expect([names(), server.calls]).toEqual([
    ['bad', 'good'],
    ['list', 'watch 10'],
  ]);
});

test('lists that fail slowly are tried ever more slowly', async () => {
  server.listMs = 30_000;
  server.listError = new ConnectionError('no answer');
  await start();
  // With 15 to 30 s of backoff added to each 30 s; without backoff 20 lists.
  await settle(600_000);
  expect(server.count('list')).toBeLessThanOrEqual(15);
});

describe('a kind that the server does not know', () => {
  const notFound = new ApiError('not found', { status: 404 });

  test('for a while has lost its objects, until it is back', async () => {
    server.items = [thing('x', '5')];
    await start({ idleTimeoutMs: 1000 });
    server.watchError = notFound;
    server.listError = notFound;
    await untilCall('list');
    await settle(5000);
    expect(names()).toEqual(['x']);
    await settle(60_000);
    expect(names()).toEqual([]);
    expect(informer.hasSynced).toBe(true);
    Object.assign(server, { watchError: undefined, listError: undefined, version: '40', items: [thing('x', '35')] });
    await settle(60_000);
    expect(changes).toEqual(['added x', 'deleted x', 'added x']);
  });

  test('or must not show (403) keeps them', async () => {
    server.items = [thing('x', '5')];
    await start({ idleTimeoutMs: 1000 });
    server.watchError = new ApiError('expired', { status: 410 });
    server.listError = new ApiError('forbidden', { status: 403 });
    await untilCall('list');
    await settle(300_000);
    expect(names()).toEqual(['x']);
  });
});
