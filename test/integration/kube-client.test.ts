/** The client against a real API server: verbs, preconditions, authentication that changes, and the end of writes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { Registry } from 'prom-client';
import { KubeClient } from '../../src/kube/client.ts';
import { ConnectionError, WritesEnded, isAlreadyExists, isConflict } from '../../src/kube/errors.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { waitFor } from '../cluster/wait.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import {
  clientOf,
  configMap,
  configMaps,
  createNamespace,
  serviceAccounts,
  sharedKubeconfig,
} from '../support/kube.ts';

interface TokenRequest extends KubeObject {
  status?: { token: string };
}

let direct: KubeClient;
let namespace: string;

beforeAll(async () => {
  direct = clientOf(sharedKubeconfig());
  namespace = await createNamespace(direct, 'client');
});

afterAll(async () => {
  await direct.close();
});

const ref = (name: string) => ({ namespace, name });

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('the verbs', () => {
  test('what is not there is undefined to get and a success to delete', async () => {
    await expect(direct.get(configMaps, ref('absent'))).resolves.toBeUndefined();
    await expect(direct.delete(configMaps, ref('absent'))).resolves.toBeUndefined();
  });

  test('an object keeps every field on its way in and out', async () => {
    const object = configMap(namespace, 'round-trip', { text: 'größe 🚀' });
    const created = await direct.create(configMaps, object);
    await expect(direct.get(configMaps, ref('round-trip'))).resolves.toEqual(created);
    expect(created.data).toEqual(object.data);
    expect(isAlreadyExists(await outcome(direct.create(configMaps, object)))).toBe(true);
  });

  test('update refuses an old resourceVersion', async () => {
    const created = await direct.create(configMaps, configMap(namespace, 'updated'));
    const updated = await direct.update(configMaps, { ...created, data: { a: '1' } });
    expect(updated.data).toEqual({ a: '1' });
    expect(isConflict(await outcome(direct.update(configMaps, { ...created, data: { a: '2' } })))).toBe(true);
  });

  test('delete refuses another uid, and takes the right one', async () => {
    const created = await direct.create(configMaps, configMap(namespace, 'deleted'));
    expect(isConflict(await outcome(direct.delete(configMaps, ref('deleted'), { uid: 'another' })))).toBe(true);
    await direct.delete(configMaps, ref('deleted'), { uid: created.metadata.uid ?? '' });
    await expect(direct.get(configMaps, ref('deleted'))).resolves.toBeUndefined();
  });

  test('apply with a uid never makes an object', async () => {
    const object = configMap(namespace, 'never', { a: '1' });
    const metadata = { ...object.metadata, uid: '00000000-0000-0000-0000-000000000000' };
    const refused = outcome(direct.apply(configMaps, { ...object, metadata }, { fieldManager: 'tests' }));
    expect(isConflict(await refused)).toBe(true);
    await expect(direct.get(configMaps, ref('never'))).resolves.toBeUndefined();
  });

  test('apply without force meets the conflict of another manager, and with force takes the field', async () => {
    const object = configMap(namespace, 'contended', { a: '1' });
    await direct.apply(configMaps, object, { fieldManager: 'first' });
    const other = { ...object, data: { a: '2' } };
    expect(isConflict(await outcome(direct.apply(configMaps, other, { fieldManager: 'second' })))).toBe(true);
    const forced = await direct.apply(configMaps, other, { fieldManager: 'second', force: true });
    expect(forced.data).toEqual({ a: '2' });
  });

  test('a list comes in pages, and an invalid continue token is an error', async () => {
    await Promise.all(
      ['1', '2', '3'].map(async (n) => await direct.create(configMaps, configMap(namespace, `page-${n}`))),
    );
    const first = await direct.list(configMaps, { namespace, limit: 2 });
    expect(first.items).toHaveLength(2);
    const second = await direct.list(configMaps, { namespace, limit: 2, continueToken: first.continueToken ?? '' });
    expect(second.resourceVersion).toBe(first.resourceVersion);
    const invalid = await outcome(direct.list(configMaps, { namespace, limit: 2, continueToken: 'invalid' }));
    expect(invalid).toMatchObject({ status: 400 });
  });

  test('an object that its schema refuses is told as invalid, with the field', async () => {
    const refused = await outcome(direct.create(configMaps, configMap(namespace, 'Upper Case')));
    expect(refused).toMatchObject({
      status: 422,
      reason: 'Invalid',
      details: { causes: [{ field: 'metadata.name' }] },
    });
  });

  test('text is read as it is', async () => {
    await expect(direct.getText('/readyz', { verbose: '' })).resolves.toContain('[+]ping ok');
  });
});

describe('through a proxy', () => {
  let proxy: FaultProxy;
  let client: KubeClient;
  let metrics: KubeMetrics;

  beforeEach(async () => {
    metrics = new KubeMetrics({ registry: new Registry(), prefix: 'test_' });
    proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
    client = clientOf(proxy.kubeconfig, { requestTimeoutMs: 10_000, onRequest: metrics.observeRequest });
  });

  afterEach(async () => {
    await client.close();
    await proxy.stop();
  });

  test('no answer is a ConnectionError within the timeout', async () => {
    proxy.rule({ match: {}, action: { type: 'blackhole' } });
    await expect(client.get(configMaps, ref('x'), { timeoutMs: 200 })).rejects.toThrow(ConnectionError);
  });

  test('an answer that does not come after the write is a ConnectionError, and the write is not repeated', async () => {
    proxy.rule({ match: { verb: 'create' }, action: { type: 'drop-response', how: 'reset' } });
    await expect(client.create(configMaps, configMap(namespace, 'committed'))).rejects.toThrow(ConnectionError);
    await expect(direct.get(configMaps, ref('committed'))).resolves.toBeDefined();
    expect(proxy.writes()).toHaveLength(1);
  });

  test('an error keeps status, reason and Retry-After; one that is no Status keeps its text', async () => {
    const headers = { 'retry-after': '7' };
    proxy.rule({ match: {}, times: 1, action: { type: 'error', status: 429, reason: 'TooManyRequests', headers } });
    await expect(client.get(configMaps, ref('x'))).rejects.toMatchObject({
      status: 429,
      reason: 'TooManyRequests',
      retryAfterMs: 7000,
    });
    proxy.rule({ match: {}, action: { type: 'error', status: 502, body: '<html>bad gateway</html>' } });
    await expect(client.get(configMaps, ref('x'))).rejects.toThrow(/was answered 502: <html>bad gateway/);
    const counted = (await metrics.requests.get()).values.map(
      ({ labels }) => `${labels.verb} ${labels.resource} ${labels.code}`,
    );
    expect(counted).toEqual(['get configmaps 429', 'get configmaps 502']);
  });

  test('writes end with their signal, also one in flight; reads go on', async () => {
    const leadership = new AbortController();
    const writer = client.writesUntil(leadership.signal);
    await writer.create(configMaps, configMap(namespace, 'leading'));
    proxy.rule({ match: { verb: 'patch' }, action: { type: 'blackhole' } });
    const hanging = outcome(writer.patch(configMaps, ref('leading'), { data: { a: '1' } }, { type: 'merge' }));
    await waitFor('the write reaching the proxy', async () => proxy.writes({ verb: 'patch' })[0], { intervalMs: 5 });
    const abortedAt = performance.now();
    leadership.abort();
    expect(await hanging).toBeInstanceOf(WritesEnded);
    // Not by the request's own timeout.
    expect(performance.now() - abortedAt).toBeLessThan(5000);
    const sent = proxy.writes().length;
    for (const write of [
      writer.create(configMaps, configMap(namespace, 'late')),
      writer.delete(configMaps, ref('leading')),
      writer.apply(configMaps, configMap(namespace, 'leading', { a: '2' }), { fieldManager: 'tests' }),
    ]) {
      expect(await outcome(write)).toBeInstanceOf(WritesEnded);
    }
    expect(proxy.writes()).toHaveLength(sent);
    await expect(writer.get(configMaps, ref('leading'))).resolves.toBeDefined();
    await expect(client.create(configMaps, configMap(namespace, 'not-gated'))).resolves.toBeDefined();
  });

  test('writes end when the fence says so, before any signal', async () => {
    let fence = true;
    const writer = client.writesUntil(new AbortController().signal, () => fence);
    await writer.create(configMaps, configMap(namespace, 'fenced'));
    fence = false;
    expect(await outcome(writer.delete(configMaps, ref('fenced')))).toBeInstanceOf(WritesEnded);
    await expect(direct.get(configMaps, ref('fenced'))).resolves.toBeDefined();
  });
});

/** Makes a ServiceAccount and returns a token of it. */
async function serviceAccountToken(name: string): Promise<string> {
  await direct.create(serviceAccounts, { metadata: ref(name) });
  const tokens: Resource<TokenRequest> = { ...serviceAccounts, plural: `serviceaccounts/${name}/token` };
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: ref(name) };
  const made = await direct.create(tokens, request);
  if (made.status === undefined) throw new Error(`the server made no token for the ServiceAccount ${name}`);
  return made.status.token;
}

describe('a ServiceAccount token in a file', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'infer-token-'));
  });

  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  test('is read again after the server refused the old one', async () => {
    const file = join(directory, 'token');
    await writeFile(file, 'expired');
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(sharedKubeconfig());
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no cluster');
    const user = { name: 'pod', authProvider: { name: 'tokenFile', config: { tokenFile: file } } };
    kubeConfig.loadFromClusterAndUser(cluster, user);
    const client = KubeClient.fromKubeConfig(kubeConfig);
    expect(await outcome(client.get(configMaps, ref('x')))).toMatchObject({ status: 401 });
    await writeFile(file, `${await serviceAccountToken('rotated')}\n`);
    // Known by now, but without any right.
    expect(await outcome(client.get(configMaps, ref('x')))).toMatchObject({ status: 403 });
    await client.close();
  });
});
