/** The fault proxy itself: what passes is unchanged and recorded, and each fault is what it says. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../../src/kube/client.ts';
import { ConnectionError } from '../../src/kube/errors.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { clientOf, configMap, configMaps, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { startFaultProxy } from './proxy.ts';
import type { FaultProxy } from './proxy.ts';
import type { Recording } from './proxy-rules.ts';

let direct: KubeClient;
let namespace: string;
let proxy: FaultProxy;
let client: KubeClient;

beforeAll(async () => {
  direct = clientOf(sharedKubeconfig());
  namespace = await createNamespace(direct, 'proxy');
});

afterAll(async () => {
  await direct.close();
});

beforeEach(async () => {
  proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  client = clientOf(proxy.kubeconfig, { requestTimeoutMs: 3000 });
});

afterEach(async () => {
  await client.close();
  await proxy.stop();
});

const ref = (name: string) => ({ namespace, name });

describe('what passes', () => {
  test('is the same as without the proxy', async () => {
    await client.create(configMaps, configMap(namespace, 'same', { text: 'größe 🚀'.repeat(5000) }));
    expect(await client.get(configMaps, ref('same'))).toEqual(await direct.get(configMaps, ref('same')));
    expect((await client.list(configMaps, { namespace })).items).toEqual(
      (await direct.list(configMaps, { namespace })).items,
    );
  });

  test('is recorded: writes in their order, with name, status and body', async () => {
    const generated = { metadata: { namespace, generateName: 'made-' } } as unknown as KubeObject;
    const made = await client.create(configMaps, generated);
    await client.apply(configMaps, configMap(namespace, 'applied', { a: '1' }), { fieldManager: 'tests' });
    await client.apply(configMaps, configMap(namespace, 'applied', { a: '2' }), { fieldManager: 'tests' });
    await client.delete(configMaps, ref('applied'));
    await client.get(configMaps, ref('applied'));
    const told = proxy.writes().map(({ verb, resource, name, status }) => `${verb} ${resource} ${name} ${status}`);
    expect(told).toEqual([
      `create configmaps ${made.metadata.name} 201`,
      'apply configmaps applied 201',
      'apply configmaps applied 200',
      'delete configmaps applied 200',
    ]);
    expect(proxy.writes({ verb: 'apply' })[1]?.body).toContain('"a":"2"');
    expect(proxy.counts({ resource: 'configmaps' })).toEqual({
      'create configmaps': 1,
      'apply configmaps': 2,
      'delete configmaps': 1,
      'get configmaps': 1,
    });
    proxy.reset();
    expect(proxy.requests()).toEqual([]);
  });

  test('of a watch comes at once, event by event', async () => {
    const { resourceVersion } = await direct.list(configMaps, { namespace });
    const ended = new AbortController();
    const watch = client.watch(configMaps, { namespace, resourceVersion, signal: ended.signal });
    for (const name of ['one', 'two']) {
      const next = watch.next();
      await direct.create(configMaps, configMap(namespace, name));
      expect((await next).value).toMatchObject({ type: 'ADDED', object: { metadata: { name } } });
    }
    expect(proxy.watches().map((open) => open.events)).toEqual([2]);
    ended.abort(new Error('enough'));
    await expect(watch.next()).rejects.toThrow('enough');
  });

  test('carries the rights of the impersonated user, or of the client’s own token', async () => {
    const powerless = await startFaultProxy({ upstream: sharedKubeconfig(), impersonate: { user: 'nobody' } });
    const impersonating = clientOf(powerless.kubeconfig);
    await expect(impersonating.get(configMaps, ref('x'))).rejects.toMatchObject({ status: 403 });
    await impersonating.close();
    await powerless.stop();

    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(proxy.kubeconfig);
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no cluster');
    kubeConfig.loadFromClusterAndUser(cluster, { name: 'token', token: 'no such token' });
    const withToken = KubeClient.fromKubeConfig(kubeConfig);
    await expect(withToken.get(configMaps, ref('x'))).rejects.toMatchObject({ status: 401 });
    await withToken.close();
  });
});

describe('faults', () => {
  test('an error is answered without asking the server', async () => {
    proxy.rule({ match: { verb: 'create' }, action: { type: 'error', status: 503, headers: { 'retry-after': '3' } } });
    const created = client.create(configMaps, configMap(namespace, 'refused'));
    await expect(created).rejects.toMatchObject({ status: 503, retryAfterMs: 3000 });
    await expect(direct.get(configMaps, ref('refused'))).resolves.toBeUndefined();
  });

  test.each(['fin', 'reset'] as const)('a %s cuts the connection without asking the server', async (how) => {
    proxy.rule({ match: { verb: 'create' }, action: { type: 'cut', how } });
    await expect(client.create(configMaps, configMap(namespace, `cut-${how}`))).rejects.toThrow(ConnectionError);
    await expect(direct.get(configMaps, ref(`cut-${how}`))).resolves.toBeUndefined();
  });

  test('a dropped answer and an error after the write leave the write done', async () => {
    proxy.rule({ match: { name: 'dropped' }, action: { type: 'drop-response', how: 'fin' } });
    proxy.rule({ match: { name: 'errored' }, action: { type: 'error-after', status: 504 } });
    await expect(client.create(configMaps, configMap(namespace, 'dropped'))).rejects.toThrow(ConnectionError);
    const errored = client.create(configMaps, configMap(namespace, 'errored'));
    await expect(errored).rejects.toMatchObject({ status: 504 });
    await expect(direct.get(configMaps, ref('dropped'))).resolves.toBeDefined();
    await expect(direct.get(configMaps, ref('errored'))).resolves.toBeDefined();
  });

  test('a delay is drawn from its range, and a hook stands before and after the write', async () => {
    const seen: string[] = [];
    const look = async (when: string): Promise<void> => {
      const found = await direct.get(configMaps, ref('hooked'));
      seen.push(`${when}: ${found === undefined ? 'absent' : 'present'}`);
    };
    proxy.rule({ match: { verb: 'create' }, action: { type: 'delay', ms: [80, 120] } });
    proxy.rule({
      match: { verb: 'create' },
      action: { type: 'hook', before: async () => await look('before'), after: async () => await look('after') },
    });
    const startedAt = performance.now();
    await client.create(configMaps, configMap(namespace, 'hooked'));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(79);
    expect(seen).toEqual(['before: absent', 'after: present']);
  });

  test('a recorded answer is replayed as it was', async () => {
    const recording: Recording = {};
    await direct.create(configMaps, configMap(namespace, 'replayed', { version: 'old' }));
    proxy.rule({ match: { name: 'replayed' }, times: 1, action: { type: 'record', recording } });
    const old = await client.get(configMaps, ref('replayed'));
    await direct.patch(configMaps, ref('replayed'), { data: { version: 'new' } }, { type: 'merge' });
    const replay = proxy.rule({ match: { name: 'replayed' }, action: { type: 'replay', recording } });
    await expect(client.get(configMaps, ref('replayed'))).resolves.toEqual(old);
    replay.remove();
    await expect(client.get(configMaps, ref('replayed'))).resolves.toMatchObject({ data: { version: 'new' } });
  });

  test('down refuses connections until up', async () => {
    await proxy.down();
    await expect(client.get(configMaps, ref('x'))).rejects.toThrow(ConnectionError);
    await proxy.up();
    await expect(client.get(configMaps, ref('x'))).resolves.toBeUndefined();
  });

  test('a watch can be ended after so many events', async () => {
    const { resourceVersion } = await direct.list(configMaps, { namespace });
    proxy.rule({ match: { verb: 'watch' }, action: { type: 'end-watch', afterEvents: 2, how: 'close' } });
    for (const name of ['first', 'second', 'third']) await direct.create(configMaps, configMap(namespace, name));
    const names: string[] = [];
    const signal = AbortSignal.timeout(30_000);
    for await (const { object } of client.watch(configMaps, { namespace, resourceVersion, signal })) {
      names.push(object.metadata.name);
    }
    expect(names).toEqual(['first', 'second']);
  });
});
