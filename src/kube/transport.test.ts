/** The client on sockets of our own: connections that go silent, and credentials that do not come. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from './client.ts';
import { ConnectionError, WritesEnded } from './errors.ts';
import type { Resource } from './types.ts';

const things: Resource = { group: 'example.com', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true };
const ref = { namespace: 'n', name: 'x' };

let server: Server;
/** Requests on these connections are never answered: a firewall forgot them. */
let silent: Set<Socket>;
let connections: Set<Socket>;
let requests: string[];
let answerAfterMs: number;
let client: KubeClient | undefined;

beforeEach(async () => {
  silent = new Set();
  connections = new Set();
  requests = [];
  // Late enough that requests at once each need a connection.
  answerAfterMs = 20;
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (silent.has(request.socket)) return;
    response.setHeader('content-type', 'application/json');
    if (request.url?.includes('watch=true') === true)
      response.write('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5"}}}\n');
    else setTimeout(() => response.end(JSON.stringify({ metadata: ref })), answerAfterMs);
  });
  server.on('connection', (socket: Socket) => connections.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  await client?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A kubeconfig of the server whose credentials come from `credentials`. */
class FakeKubeConfig extends KubeConfig {
  credentials: () => Promise<void> = async () => await Promise.resolve();

  override async applyToHTTPSOptions(): Promise<void> {
    await this.credentials();
  }
}

function kubeConfig(): FakeKubeConfig {
  const config = new FakeKubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser({ name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true }, { name: 'u' });
  return config;
}

/** Returns a client with four idle connections. */
async function openSome(): Promise<KubeClient> {
  const made = KubeClient.fromKubeConfig(kubeConfig());
  client = made;
  await Promise.all(Array.from({ length: 4 }, async () => await made.get(things, ref)));
  expect(connections.size).toBe(4);
  // undici takes a connection back a moment after it has given out the end of the answer.
  await setImmediate();
  return made;
}

describe('connections that go silent together', () => {
  test('cost one request its timeout, and the next one gets a new connection', async () => {
    const made = await openSome();
    connections.forEach((socket) => silent.add(socket));
    await expect(made.get(things, ref, { timeoutMs: 100 })).rejects.toThrow(ConnectionError);
    await expect(made.get(things, ref, { timeoutMs: 5000 })).resolves.toBeDefined();
  });

  test('are left by the next watch after one was silent for too long', async () => {
    const made = await openSome();
    const idle = new AbortController();
    const watch = made.watch(things, { resourceVersion: '1', signal: idle.signal });
    await watch.next();
    connections.forEach((socket) => silent.add(socket));
    idle.abort(new ConnectionError('nothing came'));
    await expect(watch.next()).rejects.toThrow('nothing came');
    await expect(made.get(things, ref, { timeoutMs: 5000 })).resolves.toBeDefined();
  });
});

describe('credentials', () => {
  test('that never come end with the timeout and the signal', async () => {
    const config = kubeConfig();
    config.credentials = async () => await new Promise(() => undefined);
    client = KubeClient.fromKubeConfig(config);
    await expect(client.get(things, ref, { timeoutMs: 50 })).rejects.toThrow(
      'no answer from the Kubernetes API server',
    );
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(client.get(things, ref, { signal })).rejects.toThrow('stopped');
  });

  test('that cannot be got are a ConnectionError with the cause', async () => {
    const config = kubeConfig();
    const cause = new Error('the plugin failed');
    config.credentials = async () => await Promise.reject(cause);
    client = KubeClient.fromKubeConfig(config);
    const failed = client.get(things, ref);
    await expect(failed).rejects.toThrow(ConnectionError);
    await expect(failed).rejects.toMatchObject({ cause });
  });

  test('that take longer than the leadership end in no write', async () => {
    const config = kubeConfig();
    let fence = true;
    config.credentials = async () => {
      await Promise.resolve();
      fence = false;
    };
    client = KubeClient.fromKubeConfig(config);
    const writer = client.writesUntil(new AbortController().signal, () => fence);
    await expect(writer.delete(things, ref)).rejects.toThrow(WritesEnded);
    expect(requests).toEqual([]);
  });
});

test('a call may wait longer for its answer than the client does', async () => {
  // undici looks at its timeouts twice a second.
  answerAfterMs = 1600;
  client = KubeClient.fromKubeConfig(kubeConfig(), { requestTimeoutMs: 5 });
  await expect(client.get(things, ref, { timeoutMs: 5000 })).resolves.toBeDefined();
});

test('a text that is cut off is a ConnectionError', async () => {
  server.removeAllListeners('request');
  server.on('request', (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.destroy());
  });
  client = KubeClient.fromKubeConfig(kubeConfig());
  await expect(client.getText('/version')).rejects.toThrow(ConnectionError);
});
