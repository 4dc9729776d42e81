/** Each way in which a watch can end or break: the cache converges again, and the process lives on. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import { waitFor } from '../cluster/wait.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import type { StreamEnd } from '../faults/proxy-rules.ts';
import { MemoryLogger, clientOf, configMap, configMaps, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import type { ConfigMap } from '../support/kube.ts';

/** Four bytes in UTF-8: a split within it must not damage it. */
const MULTI_BYTE = 'größer 🚀 ';

/** The controller manager puts a ConfigMap of its own into each namespace. */
const OURS = 'tests.example/ours=yes';

let direct: KubeClient;
let proxy: FaultProxy;
let throughProxy: KubeClient;
let namespace: string;
let metrics: KubeMetrics;
let registry: Registry;
let informer: Informer<ConfigMap>;

beforeAll(async () => {
  direct = clientOf(sharedKubeconfig());
});

afterAll(async () => {
  await direct.close();
});

async function startInformer(options: { idleTimeoutMs?: number } = {}): Promise<void> {
  registry = new Registry();
  metrics = new KubeMetrics({ registry });
  namespace = await createNamespace(direct, 'watch-ends');
  proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  throughProxy = clientOf(proxy.kubeconfig, { requestTimeoutMs: 2000, onRequest: metrics.observeRequest });
  informer = new Informer({
    client: throughProxy,
    resource: configMaps,
    namespace,
    labelSelector: OURS,
    decode: (raw) => raw,
    backoff: { baseMs: 50, maxMs: 400 },
    metrics,
    logger: new MemoryLogger(),
    ...options,
  });
  await create('kept');
  await create('deleted-later');
  await create('replaced-later', { version: 'old' });
  informer.start();
  await informer.synced();
  await waitFor('the watch', async () => openWatch());
}

afterEach(async () => {
  await informer.stop();
  await throughProxy.close();
  await proxy.stop();
});

function openWatch() {
  return proxy.watches({ resource: 'configmaps' })[0];
}

async function create(name: string, data: Record<string, string> = {}): Promise<void> {
  const object = configMap(namespace, name, data);
  const labels = { 'tests.example/ours': 'yes' };
  await direct.create(configMaps, { ...object, metadata: { ...object.metadata, labels } });
}

/** Changes what the informer must learn of, whether or not its watch is open. */
async function changeEverything(): Promise<void> {
  await direct.delete(configMaps, { namespace, name: 'deleted-later' });
  await direct.delete(configMaps, { namespace, name: 'replaced-later' });
  await create('replaced-later', { version: 'new' });
  await create('created', { text: MULTI_BYTE });
  await direct.patch(configMaps, { namespace, name: 'kept' }, { data: { changed: 'yes' } }, { type: 'merge' });
}

function summary(objects: ConfigMap[]): string[] {
  return objects
    .map(({ metadata, data }) => JSON.stringify([metadata.name, metadata.uid, metadata.resourceVersion, data]))
    .sort();
}

async function expectConverged(): Promise<void> {
  const expected = (await direct.list(configMaps, { namespace, labelSelector: OURS })).items;
  await waitFor(
    'the cache converging',
    async () => (summary(informer.list()).join() === summary(expected).join() ? true : undefined),
    { timeoutMs: 10_000, intervalMs: 20 },
  );
  expect(expected.map((object) => object.metadata.name).sort()).toEqual(['created', 'kept', 'replaced-later']);
}

async function restarts(reason: string): Promise<number> {
  const metric = await metrics.watchRestarts.get();
  return metric.values.filter((value) => value.labels.reason === reason).reduce((sum, value) => sum + value.value, 0);
}

describe('a watch that ends while it is open', () => {
  test.each<[StreamEnd, string]>([
    ['close', 'closed'],
    ['fin', 'connection'],
    ['reset', 'connection'],
    ['truncate', 'garbled'],
    ['garbage', 'garbled'],
    ['gone', 'expired'],
  ])('%s is followed by a new one, and counted as %s', async (how, reason) => {
    await startInformer();
    openWatch()?.end(how);
    await changeEverything();
    await expectConverged();
    expect(await restarts(reason)).toBe(1);
  });

  test('a connection that goes silent without being closed is noticed and replaced', async () => {
    await startInformer({ idleTimeoutMs: 700 });
    openWatch()?.end('blackhole');
    await changeEverything();
    await expectConverged();
    expect(await restarts('idle')).toBeGreaterThanOrEqual(1);
  });

  test('every byte of an event may come alone, also within a character', async () => {
    await startInformer();
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'split', bytes: 1 } });
    openWatch()?.end('close');
    await waitFor('the next watch', async () => openWatch());
    await changeEverything();
    await expectConverged();
    expect(informer.get({ namespace, name: 'created' })?.data).toEqual({ text: MULTI_BYTE });
    expect(await restarts('garbled')).toBe(0);
  });
});

describe('a watch that is refused', () => {
  test.each([401, 403, 404, 410, 429, 500, 503])('%i is retried until it is accepted', async (status) => {
    await startInformer();
    const refusal = proxy.rule({
      match: { verb: 'watch' },
      times: 3,
      action: { type: 'error', status, headers: status === 429 ? { 'retry-after': '0' } : {} },
    });
    openWatch()?.end('close');
    await changeEverything();
    await expectConverged();
    // After 404 and 410 a list brings the cache up to date before a watch is accepted.
    await waitFor('the next watch', async () => openWatch());
    expect(refusal.hits).toBe(3);
    expect(await restarts(status === 410 ? 'expired' : String(status))).toBe(3);
  });

  test('429 with Retry-After is not tried again before that time', async () => {
    await startInformer();
    proxy.rule({
      match: { verb: 'watch' },
      times: 1,
      action: { type: 'error', status: 429, headers: { 'retry-after': '1' } },
    });
    proxy.reset();
    openWatch()?.end('close');
    await changeEverything();
    await expectConverged();
    const [refused, accepted] = proxy.requests({ verb: 'watch' });
    expect((accepted?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('a list that fails after 410 is retried until it succeeds', async () => {
    await startInformer();
    const refusal = proxy.rule({ match: { verb: 'list' }, times: 2, action: { type: 'error', status: 500 } });
    openWatch()?.end('gone');
    await changeEverything();
    await expectConverged();
    expect(refusal.hits).toBe(2);
  });

  test('no server at all is retried until there is one', async () => {
    await startInformer();
    await proxy.down();
    await changeEverything();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await proxy.up();
    await expectConverged();
    expect(await restarts('connection')).toBeGreaterThanOrEqual(2);
  });

  test('retries come ever more slowly', async () => {
    await startInformer();
    proxy.rule({ match: { verb: 'watch' }, times: 4, action: { type: 'error', status: 500 } });
    proxy.reset();
    openWatch()?.end('close');
    await changeEverything();
    await expectConverged();
    const times = proxy.requests({ verb: 'watch' }).map((request) => request.atMs);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    // The second failure waits 50 to 100 ms, the third 100 to 200, then 200 to 400.
    expect(gaps.map((gap, index) => gap >= 50 * 2 ** Math.min(index, 2))).toEqual([true, true, true, true]);
  });
});
