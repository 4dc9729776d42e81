/** The informer's cache against a real API server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { Change, InformerOptions } from '../../src/kube/informer.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import { waitFor } from '../cluster/wait.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import type { Recording } from '../faults/proxy-rules.ts';
import { MemoryLogger, clientOf, configMap, configMaps, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import type { ConfigMap } from '../support/kube.ts';

const OURS = 'tests.example/ours=yes';

let direct: KubeClient;
let proxy: FaultProxy;
let client: KubeClient;
let namespace: string;
let metrics: KubeMetrics;
let logger: MemoryLogger;
let informer: Informer<ConfigMap>;
let changes: string[];

beforeAll(() => {
  direct = clientOf(sharedKubeconfig());
});

afterAll(async () => {
  await direct.close();
});

beforeEach(async () => {
  metrics = new KubeMetrics({ registry: new Registry() });
  logger = new MemoryLogger();
  namespace = await createNamespace(direct, 'informer');
  proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  client = clientOf(proxy.kubeconfig);
  changes = [];
});

afterEach(async () => {
  await informer.stop();
  await client.close();
  await proxy.stop();
});

async function startInformer(options: Partial<InformerOptions<ConfigMap>> = {}): Promise<void> {
  informer = new Informer({
    client,
    resource: configMaps,
    namespace,
    labelSelector: OURS,
    decode: ({ metadata: { managedFields: _unread, ...metadata }, ...rest }) => ({ ...rest, metadata }),
    indexes: { color: ({ data }) => (data?.['color'] === undefined ? [] : [data['color']]) },
    backoff: { baseMs: 50, maxMs: 200 },
    missedAfterMs: 100,
    metrics,
    logger,
    ...options,
  });
  informer.onChange(({ type, object }: Change<ConfigMap>) => changes.push(`${type} ${object.metadata.name}`));
  informer.start();
  await informer.synced(AbortSignal.timeout(10_000));
  await waitFor('the watch', async () => proxy.watches()[0]);
}

async function create(name: string, data: Record<string, string> = {}): Promise<ConfigMap> {
  const object = configMap(namespace, name, data);
  const labels = { 'tests.example/ours': 'yes' };
  return await direct.create(configMaps, { ...object, metadata: { ...object.metadata, labels } });
}

/** Holds back the first periodic list (the second of all) until `release`; `after` runs once it was answered. */
function holdPeriodicList(after?: () => Promise<void>): { release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const before = async (): Promise<void> => await promise;
  const action = { type: 'hook', before, ...(after && { after }) } as const;
  proxy.rule({ match: { verb: 'list', nth: 2 }, action });
  return { release: resolve };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  await waitFor(what, async () => (condition() ? true : undefined), { timeoutMs: 10_000, intervalMs: 10 });
}

async function setLabel(name: string, value: string | null): Promise<void> {
  const patch = { metadata: { labels: { 'tests.example/ours': value } } };
  await direct.patch(configMaps, ref(name), patch, { type: 'merge' });
}

const ref = (name: string) => ({ namespace, name });

describe('the cache', () => {
  test('follows additions, changes and deletions, indexes included, and keeps no field that decode drops', async () => {
    await create('first', { color: 'red' });
    await startInformer();
    await create('second', { color: 'red' });
    await until('both', () => informer.byIndex('color', 'red').length === 2);
    await direct.patch(configMaps, ref('first'), { data: { color: 'blue' } }, { type: 'merge' });
    await until('the change', () => informer.byIndex('color', 'blue').length === 1);
    expect(informer.byIndex('color', 'red').map(({ metadata }) => metadata.name)).toEqual(['second']);
    await direct.delete(configMaps, ref('second'));
    await until('the deletion', () => informer.get(ref('second')) === undefined);
    expect(informer.byIndex('color', 'red')).toEqual([]);
    expect(changes).toEqual(['added first', 'added second', 'updated first', 'deleted second']);
    expect(informer.get(ref('first'))?.metadata).not.toHaveProperty('managedFields');
    expect(informer.get(ref('first'))).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(() => informer.byIndex('shape', 'round')).toThrow('no index shape');
  });

  test('drops an object that the selector no longer selects, and takes it back', async () => {
    await create('labelled');
    await startInformer();
    await setLabel('labelled', null);
    await until('it being dropped', () => informer.list().length === 0);
    await setLabel('labelled', 'yes');
    await until('it being back', () => informer.list().length === 1);
  });

  test('reports an object of the same name but another uid as deleted and added', async () => {
    await create('reborn');
    await startInformer();
    await proxy.down();
    await direct.delete(configMaps, ref('reborn'));
    const reborn = await create('reborn');
    await proxy.up();
    await until('the new object', () => informer.get(ref('reborn'))?.metadata.uid === reborn.metadata.uid);
    expect(changes).toEqual(['added reborn', 'deleted reborn', 'added reborn']);
  });

  test('is filled by several pages, also when a continue token expires between them', async () => {
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (name) => await create(name)));
    const expired = proxy.rule({
      match: { verb: 'list', nth: 2 },
      action: { type: 'error', status: 410, reason: 'Expired' },
    });
    await startInformer({ pageSize: 2 });
    expect(expired.hits).toBe(1);
    expect(
      informer
        .list()
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(proxy.requests({ verb: 'list' }).map(({ query }) => query.includes('continue='))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('goes on after a listener threw, which is logged and counted', async () => {
    await startInformer();
    informer.onChange(() => {
      throw new Error('a bug');
    });
    await create('unlucky');
    await create('next');
    await until('both', () => informer.list().length === 2);
    expect((await metrics.listenerErrors.get()).values[0]?.value).toBe(2);
    expect(logger.lines.filter(({ level }) => level === 'error').length).toBe(2);
    expect(changes).toEqual(['added unlucky', 'added next']);
  });

  test('goes on from the last event when a watch ends, without a list', async () => {
    await startInformer();
    const { metadata } = await create('last');
    await until('it', () => informer.get(ref('last')) !== undefined);
    proxy.reset();
    proxy.watches()[0]?.end('close');
    await waitFor('the next watch', async () => proxy.requests({ verb: 'watch' })[0]);
    expect(proxy.requests().map(({ verb, query }) => `${verb} ${/resourceVersion=(\d+)/.exec(query)?.[1]}`)).toEqual([
      `watch ${metadata.resourceVersion}`,
    ]);
  });

  test('ignores events that come twice', async () => {
    await startInformer();
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'duplicate-events' } });
    await create('twice');
    await direct.delete(configMaps, ref('twice'));
    await create('last');
    await until('the last', () => informer.get(ref('last')) !== undefined);
    expect(changes).toEqual(['added twice', 'deleted twice', 'added last']);
  });
});

describe('what the watch does not deliver', () => {
  test.each([['ADDED'], ['MODIFIED'], ['DELETED']])(
    '%s is found by the periodic list, counted and repaired',
    async (type) => {
      await create('changed');
      await create('removed');
      const watched = holdPeriodicList();
      await startInformer({ relistIntervalMs: 100 });
      proxy.rule({ match: { verb: 'watch' }, action: { type: 'drop-events', types: [type] } });
      await create('added');
      await direct.patch(configMaps, ref('changed'), { data: { color: 'blue' } }, { type: 'merge' });
      await direct.delete(configMaps, ref('removed'));
      await until('the two that are not dropped', () => changes.length === 4);
      watched.release();
      await until('the repair', () => {
        const names = informer
          .list()
          .map(({ metadata }) => metadata.name)
          .sort();
        return names.join() === 'added,changed' && informer.byIndex('color', 'blue').length === 1;
      });
      expect((await metrics.watchMissed.get()).values[0]?.value).toBe(1);
      expect(changes.slice(2).sort()).toEqual(['added added', 'deleted removed', 'updated changed']);
    },
  );

  test('is not counted while the watch is only late', async () => {
    const listed = Promise.withResolvers<void>();
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'hold-events', until: listed.promise } });
    // The watch is late by more than the comparison with the list takes, and by less than the patience with it.
    const created = holdPeriodicList(async () => await Promise.resolve(void setTimeout(listed.resolve, 500)));
    await startInformer({ relistIntervalMs: 100, missedAfterMs: 3000 });
    await create('late');
    created.release();
    // The next one begins when the patience with the first is over.
    await until('another list', () => proxy.requests({ verb: 'list' }).length >= 3);
    expect(informer.get(ref('late'))).toBeDefined();
    expect((await metrics.watchMissed.get()).values).toEqual([]);
  });
});

describe('a list older than what was seen', () => {
  test('brings nothing back and removes nothing', async () => {
    const recording: Recording = {};
    await create('deleted');
    proxy.rule({ match: { verb: 'list' }, times: 1, action: { type: 'record', recording } });
    await startInformer();
    await direct.delete(configMaps, ref('deleted'));
    await create('created');
    await until('the present', () => informer.get(ref('created')) !== undefined && informer.list().length === 1);
    const replay = proxy.rule({ match: { verb: 'list' }, times: 3, action: { type: 'replay', recording } });
    proxy.watches()[0]?.end('gone');
    await until('the old list being replayed', () => replay.hits === 3);
    await waitFor('the watch', async () => proxy.watches()[0]);
    await create('later');
    await until('the later one', () => informer.get(ref('later')) !== undefined);
    expect(changes).toEqual(['added deleted', 'deleted deleted', 'added created', 'added later']);
    expect((await metrics.staleLists.get()).values[0]?.value).toBe(3);
  });

  test('is believed after a while, since a server restored from a backup shows nothing else', async () => {
    const recording: Recording = {};
    await create('deleted');
    proxy.rule({ match: { verb: 'list' }, times: 1, action: { type: 'record', recording } });
    await startInformer({ staleListPatienceMs: 500 });
    await direct.delete(configMaps, ref('deleted'));
    await create('created');
    await until('the present', () => informer.get(ref('created')) !== undefined && informer.list().length === 1);
    proxy.rule({ match: { verb: 'list' }, action: { type: 'replay', recording } });
    proxy.watches()[0]?.end('gone');
    // It is taken, and then the real server's watch tells what has happened since.
    const believed = ['deleted created', 'added deleted', 'deleted deleted', 'added created'];
    await until('the past and the present', () => changes.slice(3).join() === believed.join());
  });
});

describe('our own writes', () => {
  test('the cache is behind until the event of a write has come', async () => {
    await startInformer();
    const noted = Promise.withResolvers<void>();
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'hold-events', until: noted.promise } });
    const written = await create('mine');
    informer.noteWrite(written);
    expect(informer.isBehind(ref('mine'))).toBe(true);
    noted.resolve();
    await until('the cache passing the write', () => !informer.isBehind(ref('mine')));
    expect(informer.get(ref('mine'))?.metadata.resourceVersion).toBe(written.metadata.resourceVersion);
  });

  test('the wait ends when the object was deleted before the cache saw it', async () => {
    await startInformer();
    informer.noteWrite(await create('short'));
    await direct.delete(configMaps, ref('short'));
    await until('the end of the wait', () => !informer.isBehind(ref('short')));
  });

  test('the wait ends with a list that began after the write', async () => {
    const deleted = holdPeriodicList();
    await startInformer({ relistIntervalMs: 100 });
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'drop-events', types: ['ADDED', 'DELETED'] } });
    informer.noteWrite(await create('never-seen'));
    await direct.delete(configMaps, ref('never-seen'));
    expect(informer.isBehind(ref('never-seen'))).toBe(true);
    deleted.release();
    await until('the end of the wait', () => !informer.isBehind(ref('never-seen')));
    expect(changes).toEqual([]);
  });
});

test('synced ends with the signal while there is no server', async () => {
  proxy.rule({ match: {}, action: { type: 'error', status: 503 } });
  informer = new Informer({ client, resource: configMaps, decode: (raw) => raw, logger });
  informer.start();
  await expect(informer.synced(AbortSignal.timeout(200))).rejects.toThrow('timeout');
  expect(informer.hasSynced).toBe(false);
});
