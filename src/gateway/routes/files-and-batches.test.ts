/** Files and batches through a gateway to a stand-in for the batch process. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeDeployment, FILES_KEY, KEY, startGateway, type RunningGateway } from '../../../test/support/gateway.ts';
import { CHAT, engine } from '../../../test/support/gateway-bed.ts';
import type { GatewayLimits } from '../limits.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let upstream: Server;
let handler: Handler;
let gateway: RunningGateway;
let sockets: Socket[];
/** What reached the batch process. */
let asked: string[];

beforeEach(async () => {
  asked = [];
  sockets = [];
  handler = (request, response) => {
    text(request).then(
      (body) => response.end(JSON.stringify({ bytes: body.length })),
      () => response.destroy(),
    );
  };
  upstream = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    handler(request, response);
  });
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await gateway.close();
  upstream.close();
  upstream.closeAllConnections();
});

async function start(limits: Partial<GatewayLimits> = {}, deployments: FakeDeployment[] = []): Promise<void> {
  const { port } = upstream.address() as AddressInfo;
  const batch = { dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }), origin: `http://127.0.0.1:${port}` };
  gateway = await startGateway(deployments, limits, { batch });
}

function ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${FILES_KEY}`, ...(init.headers as Record<string, string>) };
  return fetch(gateway.url + path, { method, ...init, headers });
}

/** A bare connection, for what no HTTP client would do. */
function open(head: string): Socket {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(`${head}\r\nhost: x\r\nauthorization: Bearer ${FILES_KEY}\r\n`);
  return socket;
}

async function heard(socket: Socket): Promise<string> {
  return String((await once(socket, 'data'))[0]);
}

describe('what reaches the batch process', () => {
  test.each(['/v1', '/api/v2/external/v1', '/api/v2/external'])('are these routes, under %s', async (base) => {
    await start();
    const routes = [
      ['POST', '/files'],
      ['GET', '/files?purpose=batch&limit=2'],
      ['GET', '/files/file-1'],
      ['DELETE', '/files/file-1'],
      ['GET', '/files/file-1/content'],
      ['POST', '/batches'],
      ['GET', '/batches?after=batch_1'],
      ['GET', '/batches/batch_1'],
      ['POST', '/batches/batch_1/cancel'],
    ] as const;
    for (const [method, path] of routes) expect((await ask(method, base + path)).status).toBe(200);
    expect(asked).toEqual(routes.map(([method, path]) => `${method} /v1${path}`));
  });

  test('is nothing else', async () => {
    await start();
    for (const [method, path] of [
      ['PUT', '/v1/files/file-1'],
      ['POST', '/v1/files/file-1'],
      ['DELETE', '/v1/batches/batch_1'],
      ['GET', '/v1/files/file-1/content/more'],
      ['POST', '/v1/uploads'],
      ['GET', '/internal/load/default/tiny'],
    ] as const) {
      expect((await ask(method, path)).status).toBe(404);
    }
    expect(asked).toEqual([]);
  });

  test('an id stays one segment of the path', async () => {
    await start();
    await ask('GET', '/v1/files/..%2f..%2fbatches%3fx');
    expect(asked).toEqual(['GET /v1/files/..%2F..%2Fbatches%3Fx']);
  });

  test('is what a key with the scope "files" asks', async () => {
    await start();
    const other = await ask('GET', '/v1/files', { headers: { authorization: `Bearer ${KEY}` } });
    expect(other.status).toBe(403);
    expect(await other.json()).toMatchObject({ error: { code: 'missing_scope', type: 'permission_error' } });
    expect((await ask('GET', '/v1/files', { headers: { authorization: 'Bearer nobody' } })).status).toBe(401);
    expect(asked).toEqual([]);
  });

  test('names the key, and nothing that the client says of itself', async () => {
    await start();
    let headers: IncomingMessage['headers'] = {};
    handler = (request, response) => {
      headers = request.headers;
      response.end('{}');
    };
    const answer = await ask('POST', '/v1/batches', {
      headers: {
        'content-type': 'application/json',
        cookie: 'a=b',
        'x-infer-namespace': 'victim',
        'x-infer-key': 'victim',
        'x-request-id': 'mine',
        'x-forwarded-for': '1.2.3.4',
      },
      body: '{}',
    });
    expect(headers).toEqual({
      host: expect.any(String),
      connection: 'keep-alive',
      'content-type': 'application/json',
      'content-length': '2',
      'x-infer-namespace': 'default',
      'x-infer-key': 'files',
      'x-request-id': answer.headers.get('x-request-id'),
    });
  });
});

describe('an answer', () => {
  test('passes as it is, but for headers that are not for clients', async () => {
    await start();
    handler = (request, response) => {
      const range = request.headers.range ?? '';
      response.writeHead(206, {
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment; filename="a.jsonl"',
        'content-range': `${range}/9`,
        'set-cookie': 'a=b',
        server: 'inside',
        'x-request-id': 'another',
      });
      response.end('abc');
    };
    const answer = await ask('GET', '/v1/files/file-1/content', { headers: { range: 'bytes 0-2' } });
    expect(answer.status).toBe(206);
    expect(await answer.text()).toBe('abc');
    expect(Object.fromEntries(answer.headers)).toEqual({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="a.jsonl"',
      'content-range': 'bytes 0-2/9',
      'x-request-id': expect.stringMatching(/^req_/),
      'transfer-encoding': 'chunked',
      connection: expect.any(String),
      'keep-alive': expect.any(String),
      date: expect.any(String),
    });
  });

  test('that breaks off is no whole answer to the client', async () => {
    await start();
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('abc', () => response.destroy());
    };
    const answer = await ask('GET', '/v1/files/file-1/content');
    await expect(answer.text()).rejects.toThrow('terminated');
  });

  test('that takes too long is cut off, however steadily it comes', async () => {
    await start({ downloadTimeoutMs: 500 });
    let [drip, left]: [NodeJS.Timeout | undefined, boolean] = [undefined, false];
    handler = (_, response) => {
      response.writeHead(200);
      drip = setInterval(() => response.write('x'), 10);
      response.on('close', () => (left = true));
    };
    const answer = await ask('GET', '/v1/files/file-1/content');
    await expect(answer.text()).rejects.toThrow('terminated');
    await eventually(() => expect(left).toBe(true));
    clearInterval(drip);
  });

  test('that comes before the whole body reaches a client that reads it only then', async () => {
    await start();
    handler = (_, response) => response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{}}');
    const socket = open(`POST /v1/files HTTP/1.1\r\ncontent-type: multipart/form-data\r\ncontent-length: 5000000`);
    socket.write('\r\nx');
    expect(await heard(socket)).toContain('HTTP/1.1 400');
    // The rest of it is taken, and the connection is good for another request.
    socket.write('x'.repeat(4_999_999));
    socket.write(`GET /v1/none HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect(await heard(socket)).toContain('HTTP/1.1 404');
  });
});

describe('a body that is too big', () => {
  test('is refused by its length before it is read', async () => {
    await start({ uploadBytes: 10 });
    const answer = await ask('POST', '/v1/files', { body: 'x'.repeat(11) });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({
      error: {
        message: 'The body has more than the 10 bytes that are allowed.',
        type: 'invalid_request_error',
        param: null,
        code: 'request_too_large',
      },
    });
    expect(asked).toEqual([]);
  });

  test('is refused where it grows beyond, and the batch process sees it end before its time', async () => {
    await start({ uploadBytes: 10 });
    const ended = new Promise<boolean>((resolve) => {
      handler = (request) => request.on('close', () => resolve(request.complete)).resume();
    });
    const socket = open('POST /v1/files HTTP/1.1\r\ntransfer-encoding: chunked');
    socket.write('\r\n8\r\nxxxxxxxx\r\n');
    await eventually(() => expect(asked).toHaveLength(1));
    socket.write('8\r\nxxxxxxxx\r\n');
    expect(await heard(socket)).toContain('HTTP/1.1 413');
    expect(await ended).toBe(false);
  });

  test('is another one for JSON', async () => {
    await start({ bodyBytes: 10 });
    expect((await ask('POST', '/v1/batches', { body: 'x'.repeat(11) })).status).toBe(413);
    expect((await ask('POST', '/v1/files', { body: 'x'.repeat(11) })).status).toBe(200);
  });
});

describe('without the batch process', () => {
  test('requests are told so and models answer', async () => {
    const { origin } = await engine((response) => void response.end('{"choices":[]}'));
    await start({}, [new FakeDeployment('tiny', [origin])]);
    await new Promise((resolve) => upstream.close(resolve));
    const answer = await ask('POST', '/v1/files', { body: 'x' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('10');
    expect(await answer.json()).toMatchObject({
      error: { type: 'server_error', code: 'batch_unreachable', param: null },
    });
    const chat = await ask('POST', CHAT, {
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', messages: [] }),
    });
    expect(chat.status).toBe(200);
    await ask('GET', '/v1/files');
    expect(gateway.log().split('the batch process is not reached')).toHaveLength(2);
  });

  test('of which nothing is known they say what to set', async () => {
    gateway = await startGateway([]);
    const answer = await ask('GET', '/v1/batches');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(await answer.json()).toMatchObject({
      error: { code: 'batch_not_set_up', message: expect.stringContaining('INFER_BATCH_ADDRESS') },
    });
  });
});

describe('a request ends', () => {
  const upload = `POST /v1/files HTTP/1.1\r\ncontent-type: multipart/form-data\r\ncontent-length: 1000`;

  test('upstream when its client leaves', async () => {
    await start();
    const gone = new Promise<void>((resolve) => {
      handler = (request) => void request.on('close', resolve).resume();
    });
    const socket = open(upload);
    socket.write('\r\nabc');
    await eventually(() => expect(asked).toHaveLength(1));
    socket.destroy();
    await gone;
  });

  test('with 408 where its client stalls', async () => {
    await start({ transferStallMs: 500 });
    const gone = new Promise<void>((resolve) => {
      handler = (request) => void request.on('close', resolve).resume();
    });
    const socket = open(upload);
    socket.write('\r\nabc');
    const answer = await heard(socket);
    expect(answer).toContain('HTTP/1.1 408');
    expect(answer).toContain('"code":"request_timeout"');
    await gone;
  });

  test('with 408 where its client trickles', async () => {
    await start({ transferStallMs: 1_000, uploadTimeoutMs: 200 });
    const socket = open(upload);
    socket.write('\r\n');
    const trickle = setInterval(() => socket.write('x'), 20);
    expect(await heard(socket)).toContain('HTTP/1.1 408');
    clearInterval(trickle);
  });

  test('with 504 where the batch process stalls', async () => {
    await start({ transferStallMs: 500 });
    handler = () => undefined;
    const answer = await ask('GET', '/v1/files');
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({ error: { code: 'batch_timeout', type: 'server_error' } });
  });

  test('where the batch process stalls in the middle of its answer', async () => {
    await start({ transferStallMs: 500 });
    handler = (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('abc');
    const answer = await ask('GET', '/v1/files/file-1/content');
    await expect(answer.text()).rejects.toThrow('terminated');
  });

  test('with 503 when the gateway has no more time', async () => {
    await start();
    handler = () => undefined;
    const answer = ask('GET', '/v1/files');
    await eventually(() => expect(asked).toHaveLength(1));
    await gateway.close(0);
    expect((await answer).status).toBe(503);
  });
});

test('there are so many uploads of a key at once, and so many requests', async () => {
  await start({ uploadsOfKey: 2, transfersOfKey: 3 });
  const waiting: ServerResponse[] = [];
  handler = (request, response) => {
    waiting.push(response);
    request.resume();
  };
  const uploads = [ask('POST', '/v1/files', { body: 'a' }), ask('POST', '/v1/files', { body: 'b' })];
  await eventually(() => expect(waiting).toHaveLength(2));
  const third = await ask('POST', '/v1/files', { body: 'c' });
  expect(third.status).toBe(429);
  expect(third.headers.get('retry-after')).toBe('5');
  expect(await third.json()).toMatchObject({
    error: { type: 'rate_limit_error', code: 'rate_limit_exceeded', message: expect.stringContaining('2 uploads') },
  });
  const list = ask('GET', '/v1/files');
  await eventually(() => expect(waiting).toHaveLength(3));
  expect((await ask('GET', '/v1/files')).status).toBe(429);
  for (const response of waiting) response.end();
  await Promise.all([...uploads, list]);
  handler = (_, response) => response.end();
  expect((await ask('POST', '/v1/files', { body: 'd' })).status).toBe(200);
});
