/** HTTP between processes over real TLS, with a stand-in for the API server that signs their tokens. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Agent } from 'undici';
import { eventually } from '../../test/support/eventually.ts';
import { TokenIssuer } from '../../test/support/token-issuer.ts';
import { createCertificate, type ChannelCertificate } from './certificate.ts';
import type { ChannelEnd } from './handshake.ts';
import { channelAgent, channelOrigin } from './http-client.ts';
import { ChannelHttpServer } from './http-server.ts';
import { audienceOf, ChannelIdentity } from './identity.ts';
import { PROTOCOL } from './messages.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT, OPERATOR_ACCOUNT } from './port.ts';
import { PeerVerifier } from './verifier.ts';

const NAMESPACE = 'infer-system';
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let issuer: TokenIssuer;
let http: Server;
let server: ChannelHttpServer;
let agents: Agent[];
/** Paths that were asked for. */
let asked: string[];
/** Answers to `/slow` are held back until this is called. */
let answerSlow: () => void;

beforeEach(async () => {
  issuer = await TokenIssuer.create();
  agents = [];
  asked = [];
  const slow = new Promise<void>((resolve) => (answerSlow = resolve));
  http = createServer((request, response) => {
    asked.push(request.url ?? '');
    void text(request).then(async (body) => {
      if (request.url === '/slow') await slow;
      response.end(`${request.method} ${body.length}`);
    });
  });
  server = new ChannelHttpServer({ http, end: makeEnd(BATCH_ACCOUNT, GATEWAY_ACCOUNT), logger: silent });
});

afterEach(async () => {
  await Promise.all(agents.map(async (agent) => await agent.destroy()));
  const closed = server.close();
  server.destroy();
  await closed;
});

function makeEnd(own: string, peer: string): ChannelEnd {
  return {
    identity: new ChannelIdentity({ client: issuer, account: { namespace: NAMESPACE, name: own } }),
    verifier: new PeerVerifier(issuer),
    instance: `${own}-1`,
    peerAccount: { namespace: NAMESPACE, name: peer },
  };
}

const listen = async (): Promise<number> => await server.listen(0, '127.0.0.1');

function client(end = makeEnd(GATEWAY_ACCOUNT, BATCH_ACCOUNT), maxConnectionsPerOrigin = 4): Agent {
  const agent = channelAgent(end, { maxConnectionsPerOrigin });
  agents.push(agent);
  return agent;
}

async function ask(agent: Agent, port: number, path: string, body?: string): Promise<string> {
  const method = body === undefined ? 'GET' : 'POST';
  const answer = await agent.request({ origin: channelOrigin('127.0.0.1', port), path, method, body: body ?? null });
  return await answer.body.text();
}

describe('processes that know each other', () => {
  test('speak HTTP, many exchanges on one connection', async () => {
    const port = await listen();
    const agent = client(undefined, 1);
    let connections = 0;
    http.on('connection', () => (connections += 1));
    expect(await ask(agent, port, '/')).toBe('GET 0');
    expect(await ask(agent, port, '/', 'x'.repeat(3_000_000))).toBe('POST 3000000');
    expect(connections).toBe(1);
  });

  test('use many connections at once', async () => {
    const port = await listen();
    const agent = client(undefined, 200);
    const answers = Promise.all(Array.from({ length: 200 }, async () => await ask(agent, port, '/slow')));
    await eventually(() => expect(asked).toHaveLength(200), 20_000);
    answerSlow();
    expect(new Set(await answers)).toEqual(new Set(['GET 0']));
  });
});

describe('a client sends nothing', () => {
  test('to a server that is another process', async () => {
    server = new ChannelHttpServer({ http, end: makeEnd(OPERATOR_ACCOUNT, GATEWAY_ACCOUNT), logger: silent });
    const port = await listen();
    await expect(ask(client(), port, '/')).rejects.toThrow('unexpected "sub" claim value');
    expect(asked).toEqual([]);
  });

  test('where nobody listens', async () => {
    const port = await listen();
    await server.close();
    await expect(ask(client(), port, '/')).rejects.toThrow('ECONNREFUSED');
  });
});

describe('a server hears nothing', () => {
  test('of a process with another account', async () => {
    const port = await listen();
    await expect(ask(client(makeEnd(OPERATOR_ACCOUNT, BATCH_ACCOUNT)), port, '/')).rejects.toThrow(/closed|reset/i);
    expect(asked).toEqual([]);
  });

  test.each<[string, (keys: { own: string; other: string }) => Promise<string>]>([
    ['without a token', async () => ''],
    ['with the token of another key', async ({ other }) => hello(await tokenFor(other))],
    ['that has garbage for a hello', async () => '\u0000\u0001garbage\n'],
    ['whose hello has no end', async () => 'x'.repeat(100_000)],
  ])('of one %s', async (_, say) => {
    const port = await listen();
    const own = createCertificate(new Date());
    const other = createCertificate(new Date());
    const socket = await open(port, own);
    socket.write(`${await say({ own: own.keyHash, other: other.keyHash })}GET /secret HTTP/1.1\r\nhost: x\r\n\r\n`);
    await closed(socket);
    expect(asked).toEqual([]);
  });

  test('of one without a certificate', async () => {
    const port = await listen();
    const socket = await open(port);
    const { keyHash } = createCertificate(new Date());
    socket.write(`${hello(await tokenFor(keyHash))}GET /secret HTTP/1.1\r\nhost: x\r\n\r\n`);
    await closed(socket);
    expect(asked).toEqual([]);
  });

  test('of one that says nothing, and ends the connection after 10 s', async () => {
    const port = await listen();
    jest.useFakeTimers({
      doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'setInterval', 'Date', 'performance'],
    });
    try {
      const socket = await open(port, createCertificate(new Date()));
      // The server's own hello: it waits for the other one from here on.
      await once(socket, 'data');
      jest.advanceTimersByTime(9_900);
      await new Promise(setImmediate);
      expect(socket.closed).toBe(false);
      jest.advanceTimersByTime(200);
      await closed(socket);
    } finally {
      jest.useRealTimers();
    }
  });
});

async function tokenFor(keyHash: string): Promise<string> {
  const account = { namespace: NAMESPACE, name: GATEWAY_ACCOUNT };
  return (await issuer.requestToken(account, { audiences: [audienceOf(keyHash)], expirationSeconds: 600 })).token;
}

const hello = (token: string): string =>
  `${JSON.stringify({ type: 'hello', protocol: PROTOCOL, token, instance: 'x' })}\n`;

async function open(port: number, certificate?: ChannelCertificate): Promise<TLSSocket> {
  const key = certificate && { key: certificate.key, cert: certificate.cert };
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...key });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket.resume();
}

/** Not once(): it rejects where the server reset the connection, which is one way to end it. */
async function closed(socket: TLSSocket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

test.each([10, 200_000])('a request of %i bytes in one piece with the hello is answered', async (bytes) => {
  const port = await listen();
  const certificate = createCertificate(new Date());
  const socket = await open(port, certificate);
  let heard = '';
  socket.on('data', (data) => (heard += String(data)));
  const body = 'x'.repeat(bytes);
  const request = `POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n${body}`;
  socket.write(hello(await tokenFor(certificate.keyHash)) + request + request);
  await eventually(() => expect(heard.split(`POST ${bytes}`)).toHaveLength(3));
  expect(asked).toEqual(['/early', '/early']);
  socket.destroy();
});

test.each([
  ['head', 'GET / HTTP/1.1\r\nhost: x'],
  ['body', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nx'],
])('a %s that does not come in ends its connection', async (_, half) => {
  http = createServer({ headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 });
  server = new ChannelHttpServer({ http, end: makeEnd(BATCH_ACCOUNT, GATEWAY_ACCOUNT), logger: silent });
  const port = await listen();
  const certificate = createCertificate(new Date());
  const socket = await open(port, certificate);
  let heard = '';
  socket.on('data', (data) => (heard += String(data)));
  socket.write(hello(await tokenFor(certificate.keyHash)) + half);
  await closed(socket);
  expect(heard).toContain('HTTP/1.1 408');
});

test('who only opens connections keeps nobody else out', async () => {
  const port = await listen();
  const opened = Array.from({ length: 1_200 }, () =>
    connectPlain({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }),
  );
  for (const socket of opened) socket.on('error', () => undefined);
  expect(await ask(client(), port, '/')).toBe('GET 0');
  for (const socket of opened) socket.destroy();
});

describe('a connection ends', () => {
  test("with its peer's token, but not within an exchange", async () => {
    issuer.lifetimeSeconds = 2;
    const port = await listen();
    const [busy, idle] = [client(), client()];
    const slow = ask(busy, port, '/slow');
    await ask(idle, port, '/');
    await eventually(() => expect(asked).toHaveLength(2));
    let open = 2;
    for (const agent of [busy, idle]) agent.on('disconnect', () => (open -= 1));
    await eventually(() => expect(open).toBe(1));
    answerSlow();
    expect(await slow).toBe('GET 0');
    await eventually(() => expect(open).toBe(0));
  });

  test('when the server closes, but not within an exchange', async () => {
    const port = await listen();
    const agent = client();
    await ask(agent, port, '/');
    const slow = ask(agent, port, '/slow');
    await eventually(() => expect(asked).toHaveLength(2));
    const done = jest.fn();
    const closed = server.close().then(done);
    await expect(ask(client(), port, '/')).rejects.toThrow('ECONNREFUSED');
    expect(done).not.toHaveBeenCalled();
    answerSlow();
    expect(await slow).toBe('GET 0');
    await closed;
  });
});
