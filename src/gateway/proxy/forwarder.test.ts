/** What the gateway does when replicas and clients misbehave, against small engines that do so on purpose. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import {
  answersStream,
  answersWhole,
  breaks,
  DONE,
  ERROR,
  EVENT,
  fails,
  head,
  lastEvent,
  noneInFlight,
} from '../../../test/support/engine-replies.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { chat, FakeDeployment, KEY, post, startGateway } from '../../../test/support/gateway.ts';
import { CHAT, connectTo, engine, gatewayFor } from '../../../test/support/gateway-bed.ts';

function rawRequest(more: Record<string, unknown>): string {
  const body = JSON.stringify(chat('tiny', more));
  const head = `host: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json`;
  return `POST ${CHAT} HTTP/1.1\r\n${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

describe('heads', () => {
  test("the engine sees none of the client's, the client none of the engine's", async () => {
    const upstream = await engine(answersStream);
    const gateway = await gatewayFor(new FakeDeployment('tiny', [upstream.origin]));
    const response = await post(gateway, CHAT, chat('tiny', { stream: true, repetition_penalty: 1.1 }), {
      headers: {
        'x-request-id': 'mine',
        cookie: 'c=d',
        'x-forwarded-for': '1.2.3.4',
        te: 'trailers',
        'endpoint-load-metrics-format': 'text',
      },
    });
    expect(await response.text()).toBe(EVENT + DONE);
    const sent = upstream.requests[0];
    expect(Object.keys(sent?.head.headers ?? {}).toSorted()).toEqual([
      'accept',
      'connection',
      'content-length',
      'content-type',
      'endpoint-load-metrics-format',
      'host',
      'x-request-id',
    ]);
    expect(sent?.head.headers['endpoint-load-metrics-format']).toBe('json');
    expect(sent?.head.headers['x-request-id']).toBe(response.headers.get('x-request-id'));
    const usage = '"stream_options":{"include_usage":true,"continuous_usage_stats":true},';
    const body = JSON.stringify(chat('tiny', { stream: true, repetition_penalty: 1.1 }));
    expect(sent?.body).toBe(body.replace('{', `{${usage}`));
    expect([...response.headers.keys()].toSorted()).toEqual([
      'cache-control',
      'connection',
      'content-type',
      'date',
      'keep-alive',
      'transfer-encoding',
      'x-accel-buffering',
      'x-request-id',
    ]);
  });

  test('the head of a stream leaves before its first event', async () => {
    let finish: (() => void) | undefined;
    const upstream = await engine((response) => {
      head(response);
      finish = () => void response.end(EVENT + DONE);
    });
    const gateway = await gatewayFor(new FakeDeployment('tiny', [upstream.origin]));
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    finish?.();
    expect(await response.text()).toBe(EVENT + DONE);
  });

  test('numbers that JavaScript would round reach the engine as they were', async () => {
    const upstream = await engine(answersWhole);
    const gateway = await gatewayFor(new FakeDeployment('tiny', [upstream.origin]));
    const body =
      '{"seed":9007199254740993, "messages":[{"role":"user","content":"\\u00e9"}], "model" : "default/tiny" }';
    const response = await post(gateway, CHAT, body);
    expect(await response.json()).toMatchObject({ model: 'default/tiny' });
    expect(upstream.requests[0]?.body).toBe(body.replace('default/tiny', 'tiny'));
  });
});

describe('after the first byte', () => {
  test.each([
    ['breaks', breaks, 'upstream_error'],
    ['ends without [DONE]', (response: ServerResponse) => void response.end(), 'upstream_error'],
    ['ends in the middle of an event', (response: ServerResponse) => void response.end('data: {"id'), 'upstream_error'],
    [
      'is aborted by the engine',
      (response: ServerResponse) => void response.end(`data: {"choices":[{"finish_reason":"abort"}]}\n\n${DONE}`),
      'upstream_error',
    ],
    [
      'carries an error of the engine',
      (response: ServerResponse) =>
        void response.end(`data: {"error":{"message":"boom","type":"InternalServerError","code":500}}\n\n${DONE}`),
      'engine_error',
    ],
    ['falls silent', () => {}, 'upstream_timeout'],
  ])('a stream that %s ends in one error event, without [DONE]', async (_, continuation, code) => {
    const upstream = await engine(async (response) => {
      head(response);
      await new Promise<void>((resolve) => response.write(EVENT, () => setTimeout(resolve, 20)));
      continuation(response);
    });
    const deployment = new FakeDeployment('tiny', [upstream.origin, upstream.origin]);
    const gateway = await gatewayFor(deployment, code === 'upstream_timeout' ? { chunkTimeoutMs: 150 } : {});
    const text = await (await post(gateway, CHAT, chat('tiny', { stream: true }))).text();
    expect(text.startsWith(EVENT)).toBe(true);
    expect(text.split('data: ')).toHaveLength(3);
    expect(lastEvent(text)).toEqual({ error: { ...ERROR, type: 'server_error', code } });
    expect(text).not.toMatch(/InternalServerError|abort/);
    expect(upstream.requests).toHaveLength(1);
    noneInFlight(deployment);
  });

  test('an answer too big to be held back is passed on, and cut where its replica breaks', async () => {
    let cut = false;
    const upstream = await engine(async (response) => {
      head(response, 'application/json');
      response.write(`{"model":"tiny","data":"${'x'.repeat(50_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (cut) breaks(response);
      else response.end('"}');
    });
    const deployment = new FakeDeployment('tiny', [upstream.origin]);
    const gateway = await gatewayFor(deployment, { bufferedReplyBytes: 10_000 });
    const ask = (): Promise<Response> => post(gateway, '/v1/embeddings', { model: 'default/tiny', input: 'x' });
    expect(await (await ask()).json()).toEqual({ model: 'default/tiny', data: 'x'.repeat(50_000) });
    cut = true;
    await expect((await ask()).text()).rejects.toThrow('terminated');
    noneInFlight(deployment);
  });
});

describe('clients', () => {
  test('one that does not read is cut, and its replica is free again', async () => {
    const upstream = await engine((response) => {
      head(response);
      const event = EVENT.repeat(1000);
      const more = (): void => {
        while (!response.destroyed && response.write(event));
      };
      response.on('drain', more);
      more();
    });
    const deployment = new FakeDeployment('tiny', [upstream.origin]);
    const gateway = await gatewayFor(deployment, { clientStallMs: 300 });
    const socket = connectTo(gateway);
    socket.write(rawRequest({ stream: true }));
    await eventually(() => expect(deployment.all[0]?.inFlight).toBe(1));
    await eventually(() => noneInFlight(deployment));
  });

  test('a fifth of the active requests, and at least three, are retries at one time; the others wait', async () => {
    let retried = 0;
    let most = 0;
    const refusals: (() => void)[] = [];
    const bad = await engine((response) => void refusals.push(() => fails(502, { message: 'x' })(response)));
    const slow = await engine(async (response) => {
      retried += 1;
      most = Math.max(most, retried);
      await new Promise((resolve) => setTimeout(resolve, 50));
      retried -= 1;
      answersWhole(response);
    });
    const deployment = new FakeDeployment('tiny', [bad.origin]);
    const gateway = await gatewayFor(deployment);
    const answers = Array.from({ length: 20 }, () => post(gateway, CHAT, chat('tiny')));
    await eventually(() => expect(bad.requests).toHaveLength(20));
    deployment.add(slow.origin);
    for (const refuse of refusals) refuse();
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(most).toBe(4);
    noneInFlight(deployment);
  });
});

describe('a replica that dies', () => {
  test('costs no request that had no byte yet: the work on it is gone, so that another attempt is no more load', async () => {
    const working: ServerResponse[] = [];
    const dies = await engine(() => {});
    // It answers when it has them all: none waits for another.
    const lives = await engine((response) => {
      if (working.push(response) === 30) working.forEach(answersWhole);
    });
    const deployment = new FakeDeployment('tiny', [dies.origin]);
    const gateway = await gatewayFor(deployment);
    const answers = Array.from({ length: 30 }, () => post(gateway, CHAT, chat('tiny')));
    await eventually(() => expect(dies.requests).toHaveLength(30));
    deployment.add(lives.origin);
    dies.close();
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(working).toHaveLength(30);
  });
});

describe('shutdown', () => {
  test('streams end, new connections are refused, then it closes', async () => {
    let finish: (() => void) | undefined;
    const upstream = await engine((response) => {
      head(response);
      response.write(EVENT);
      finish = () => void response.end(DONE);
    });
    const gateway = await startGateway([new FakeDeployment('tiny', [upstream.origin])]);
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    let closed = false;
    const closing = gateway.close(30_000).then(() => (closed = true));
    await expect(post(gateway, CHAT, chat('tiny'))).rejects.toThrow('fetch failed');
    expect(closed).toBe(false);
    finish?.();
    expect(await response.text()).toBe(EVENT + DONE);
    await closing;
  });

  test('a request on a connection that is still open is answered, and is the last one there', async () => {
    const finish: (() => void)[] = [];
    const upstream = await engine((response) => void finish.push(() => answersWhole(response)));
    const gateway = await startGateway([new FakeDeployment('tiny', [upstream.origin])]);
    const socket = connectTo(gateway);
    let answers = '';
    socket.on('data', (data) => (answers += String(data)));
    socket.write(rawRequest({}));
    await eventually(() => expect(finish).toHaveLength(1));
    const closing = gateway.close(30_000);
    socket.write(rawRequest({}));
    await eventually(() => expect(finish).toHaveLength(2));
    const end = once(socket, 'end');
    for (const each of finish) each();
    await Promise.all([end, closing]);
    const heads = answers.match(/HTTP\/1\.1 200 OK[\s\S]*?\r\n\r\n/g);
    expect(heads?.map((text) => /connection: (\S+)/i.exec(text)?.[1])).toEqual(['keep-alive', 'close']);
  });

  test('what is not over when the grace period is gets an error event', async () => {
    const upstream = await engine((response) => {
      head(response);
      response.write(EVENT);
    });
    const deployment = new FakeDeployment('tiny', [upstream.origin]);
    const gateway = await startGateway([deployment]);
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    await gateway.close(50);
    expect(lastEvent(await response.text())).toEqual({
      error: { ...ERROR, type: 'server_error', code: 'gateway_restarting' },
    });
    noneInFlight(deployment);
  });
});
