import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startFakeKubeApi, type FakeKubeApi } from '../../test/support/fake-kube-api.ts';
import { startHttpStub, type HttpStub } from '../../test/support/http-stub.ts';
import { clientOf } from '../../test/support/kube.ts';
import type { KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import { forwardPort, type ForwardedPort } from './forwarded-port.ts';
import { openPodPort } from './pod-port.ts';

const POD = { namespace: 'infer-system', name: 'gateway-1' };

let api: FakeKubeApi;
let client: KubeClient;
let pod: HttpStub;
let port: ForwardedPort;

beforeAll(async () => {
  api = await startFakeKubeApi();
  client = clientOf(api.kubeconfig);
  pod = await startHttpStub(({ body }, response) => void response.end(`echo ${body}`));
  port = await forwardPort(async () => await openPodPort(client, POD, 8000));
});
beforeEach(() => {
  api.lists.clear();
  api.target = Number(new URL(pod.url).port);
  api.pieceBytes = 16_384;
});
afterAll(async () => {
  await port.close();
  await client.close();
  await api.close();
  await pod.close();
});

async function echo(body: string): Promise<string> {
  return await (await fetch(port.url, { method: 'POST', body, headers: { connection: 'close' } })).text();
}

describe('a port of a pod', () => {
  test.each([1, 3, 16_384])('passes bytes both ways, also where frames come in pieces of %i', async (pieceBytes) => {
    api.pieceBytes = pieceBytes;
    expect(await echo('hello')).toBe('echo hello');
    expect(api.forwarded.at(-1)).toBe('gateway-1');
  });

  test('passes megabytes as they are', async () => {
    const body = Array.from({ length: 300_000 }, (_, at) => `line ${at}`).join('\n');
    expect((await echo(body)) === `echo ${body}`).toBe(true);
  });

  test('serves many connections at a time', async () => {
    const bodies = Array.from({ length: 20 }, (_, at) => `request ${at}`);
    expect(await Promise.all(bodies.map(echo))).toEqual(bodies.map((body) => `echo ${body}`));
  });

  test('is refused in the words of the API server', async () => {
    const message = 'pods "gateway-1" is forbidden: User "ann" cannot create resource "pods/portforward"';
    api.lists.set('/api/v1/namespaces/infer-system/pods/gateway-1/portforward', { code: 403, message });
    await expect(openPodPort(client, POD, 8000)).rejects.toMatchObject({ status: 403, message });
    await expect(openPodPort(client, POD, 8000)).rejects.toBeInstanceOf(ApiError);
    await expect(echo('hello')).rejects.toThrow('fetch failed');
    expect(port.failure()).toMatchObject({ status: 403 });
  });

  test('that nothing listens on ends with what the kubelet says', async () => {
    api.target = 'error forwarding port 8000: connection refused';
    const connection = await openPodPort(client, POD, 8000);
    const error = await new Promise((resolve) => connection.once('error', resolve).resume());
    expect(error).toMatchObject({ message: 'error forwarding port 8000: connection refused' });
  });

  test('that breaks after it was opened is told by the forwarded port', async () => {
    api.target = 'error forwarding port 8000: connection refused';
    await expect(echo('hello')).rejects.toThrow('fetch failed');
    expect(port.failure()).toMatchObject({ message: 'error forwarding port 8000: connection refused' });
  });

  test('ends at the pod when the client goes away', async () => {
    const connection = await openPodPort(client, POD, 8000);
    const ended = new Promise((resolve) => connection.once('close', resolve));
    connection.end();
    connection.resume();
    await ended;
  });
});
