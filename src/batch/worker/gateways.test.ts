/** The worker's client over plain HTTP; the channel below it has its own tests. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { GatewaysUnavailable, KeyRefused } from '../gateway.ts';
import type { Answer } from '../gateway.ts';
import { HttpGateways } from './gateways.ts';

const ON_BEHALF = { namespace: 'team-a', key: 'nightly' };
const SIGNAL = new AbortController().signal;

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Two gateways on one port of two addresses of this machine, and one address where nobody is. */
const HOSTS = ['127.0.0.1', '127.0.0.2'];
let servers: Server[];
let port: number;
let handlers: Handler[];
let addresses: string[];
let agent: Agent;
let gateways: HttpGateways;

beforeEach(async () => {
  handlers = HOSTS.map((): Handler => (_request, response) => void response.writeHead(404).end('{}'));
  servers = HOSTS.map((_host, index) => createServer((request, response) => void handlers[index]?.(request, response)));
  port = 0;
  for (const [index, server] of servers.entries()) {
    await new Promise<void>((resolve) => server.listen(port, HOSTS[index], resolve));
    ({ port } = server.address() as AddressInfo);
  }
  addresses = [...HOSTS];
  agent = new Agent();
  gateways = new HttpGateways({
    dispatcher: agent,
    questions: agent,
    address: { host: 'gateways', port },
    resolveHost: async () => addresses,
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
});

afterEach(async () => {
  await agent.destroy();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function reply(body: unknown, status = 200, headers: Record<string, string> = {}): Handler {
  return (_request, response) => void response.writeHead(status, headers).end(JSON.stringify(body));
}

function all(handler: Handler): void {
  handlers = HOSTS.map(() => handler);
}

async function send(body: string): Promise<Answer> {
  return await gateways.send(ON_BEHALF, '/v1/completions', Buffer.from(body), SIGNAL);
}

describe('send', () => {
  test('goes to each gateway in turn, on behalf of the key, with the bytes as they are', async () => {
    const seen: string[] = [];
    handlers = HOSTS.map((host): Handler => async (request, response) => {
      const { 'x-infer-namespace': namespace, 'x-infer-key': key } = request.headers;
      seen.push([host, request.url, namespace, key, await text(request)].join(' '));
      response.writeHead(429, { 'retry-after': '7', 'x-request-id': 'req-1' }).end('{}');
    });
    const answers = [await send('{ "a":1}'), await send('{ "a":1}')];
    expect(answers[0]).toEqual({ status: 429, requestId: 'req-1', body: Buffer.from('{}'), retryAfterSeconds: 7 });
    expect(seen.sort()).toEqual(HOSTS.map((host) => `${host} /v1/completions team-a nightly { "a":1}`));
  });

  test('leaves out a gateway that failed', async () => {
    addresses = ['127.0.0.3', '127.0.0.1'];
    all(reply({}));
    const outcomes = await Promise.allSettled([send('{}'), send('{}')]);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: expect.any(GatewaysUnavailable) },
    ]);
    for (let n = 0; n < 4; n += 1) expect((await send('{}')).status).toBe(200);
  });

  test('throws GatewaysUnavailable where a connection breaks in the midst of an answer, and where there is none', async () => {
    all((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{');
      setImmediate(() => response.destroy());
    });
    await expect(send('{}')).rejects.toThrow(GatewaysUnavailable);
    addresses = [];
    const none = new HttpGateways({
      dispatcher: agent,
      questions: agent,
      address: { host: 'gateways', port },
      resolveHost: async () => [],
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    await expect(none.send(ON_BEHALF, '/v1/completions', Buffer.from('{}'), SIGNAL)).rejects.toThrow(
      GatewaysUnavailable,
    );
  });
});

describe('resolve', () => {
  test('asks for names of any form', async () => {
    const urls: (string | undefined)[] = [];
    all((request, response) => {
      urls.push(request.url);
      response.end('{"namespace":"team-b","name":"llama"}');
    });
    expect(await gateways.resolve(ON_BEHALF, 'team-b/llama:é', SIGNAL)).toEqual({ namespace: 'team-b', name: 'llama' });
    await gateways.resolve(ON_BEHALF, '../load/?\ud800', SIGNAL);
    expect(urls).toEqual(['/internal/models/team-b/llama%3A%C3%A9', '/internal/models/../load/%3F%EF%BF%BD']);
  });

  test('tells no model from no key', async () => {
    all(reply({}, 404));
    expect(await gateways.resolve(ON_BEHALF, 'x', SIGNAL)).toBeUndefined();
    // The head of a request for a name that is too long to be one.
    all(reply({}, 431));
    expect(await gateways.resolve(ON_BEHALF, 'x', SIGNAL)).toBeUndefined();
    all(reply({}, 401));
    await expect(gateways.resolve(ON_BEHALF, 'x', SIGNAL)).rejects.toThrow(KeyRefused);
  });

  test('asks the next gateway where one fails, and throws where all do', async () => {
    handlers = [reply({}, 503), reply({ namespace: 'a', name: 'b' })];
    for (let n = 0; n < 2; n += 1) expect(await gateways.resolve(ON_BEHALF, 'x', SIGNAL)).toBeDefined();
    all(reply({}, 500));
    await expect(gateways.resolve(ON_BEHALF, 'x', SIGNAL)).rejects.toThrow(GatewaysUnavailable);
  });
});

describe('load', () => {
  const replica = { podUid: 'p', serving: true, onlineInFlight: 2, batchInFlight: 3, waiting: 4, kvCacheUsage: 0.5 };
  const one = { replicas: [replica], onlineHeld: 1, batchHeld: 10, onlineIdleMs: 0 };
  const two = {
    replicas: [
      { ...replica, waiting: 6, kvCacheUsage: 0.4 },
      { ...replica, podUid: 'q', serving: false },
    ],
    onlineHeld: 0,
    batchHeld: 0,
    onlineIdleMs: 5000,
  };
  const deployment = { namespace: 'team-a', name: 'llama' };

  test('adds up what gateways count, and takes the worst of what engines said', async () => {
    handlers = [reply(one), reply(two)];
    expect(await gateways.load(deployment, SIGNAL)).toEqual({
      replicas: 1,
      onlineRequests: 7,
      onlineIdleMs: 0,
      batchRequests: 19,
      engineWaiting: 10,
      kvCacheUsage: 0.5,
      partial: false,
    });
  });

  test('is partial where one did not answer, not where one knows no such deployment, and unknown where none did', async () => {
    handlers = [reply(one), reply({}, 500)];
    expect(await gateways.load(deployment, SIGNAL)).toMatchObject({ batchRequests: 13, partial: true });
    handlers = [reply(one), reply({}, 404)];
    expect(await gateways.load(deployment, SIGNAL)).toMatchObject({ batchRequests: 13, partial: false });
    all(reply({}, 500));
    await expect(gateways.load(deployment, SIGNAL)).rejects.toThrow(GatewaysUnavailable);
  });
});
