/** Routes, keys and refusals: all that is answered without an engine. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Registry as MetricsRegistry } from 'prom-client';
import {
  chat,
  FakeDeployment,
  KEY,
  post,
  startEngine,
  startGateway,
  VIEW_KEY,
  type FakeEngine,
  type RunningGateway,
} from '../../test/support/gateway.ts';
import { GatewayMetrics } from './metrics.ts';

const CHAT = '/v1/chat/completions';
const JSON_TYPE = 'application/json';
const AUTHORIZATION = { authorization: `Bearer ${KEY}` };
const SECRET = 'the words of the prompt';

let gateway: RunningGateway;
let engine: FakeEngine;

beforeAll(async () => {
  engine = await startEngine((response) => {
    response.setHeader('content-type', JSON_TYPE);
    response.end('{"model":"tiny","choices":[]}');
  });
  gateway = await startGateway([new FakeDeployment('tiny', [engine.origin])], { bodyBytes: 4096 });
});

afterAll(async () => {
  await gateway.close();
  engine.close();
});

async function expectError(response: Response, status: number, error: Record<string, unknown>): Promise<void> {
  const body = (await response.json()) as { error: Record<string, unknown> };
  expect([response.status, body.error]).toEqual([status, expect.objectContaining(error)]);
  expect(Object.keys(body)).toEqual(['error']);
  expect(Object.keys(body.error).toSorted()).toEqual(['code', 'message', 'param', 'type']);
  expect(typeof body.error['message']).toBe('string');
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
}

describe('allow-list', () => {
  test.each([
    ['GET', '/'],
    ['GET', '/metrics'],
    ['GET', '/health'],
    ['GET', '/version'],
    ['GET', '/v1'],
    ['GET', CHAT],
    ['POST', '/v1/models'],
    ['DELETE', '/v1/models/tiny'],
    ['POST', '/tokenize'],
    ['POST', '/v1/responses'],
    ['POST', '/inference/v1/generate'],
    ['POST', '/v1//chat/completions'],
    ['POST', '/V1/chat/completions'],
    ['POST', '/v1/../invocations'],
    ['POST', '/v1/chat/completions/batch'],
    ['GET', '/%'],
    ['OPTIONS', CHAT],
  ])('%s %s is not here', async (method, path) => {
    const init = method === 'POST' ? { body: '{}', headers: { ...AUTHORIZATION, 'content-type': JSON_TYPE } } : {};
    const response = await fetch(gateway.url + path, { method, ...init });
    await expectError(response, 404, { type: 'invalid_request_error', param: null, code: 'unknown_url' });
  });
});

describe('keys', () => {
  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer nonsense' }],
    ['another scheme', { authorization: `Basic ${KEY}` }],
  ])('%s: 401', async (_, headers) => {
    const error = { type: 'invalid_request_error', code: 'invalid_api_key', param: null };
    const init = { method: 'POST', body: JSON.stringify(chat('tiny')) };
    await expectError(
      await fetch(gateway.url + CHAT, { ...init, headers: { 'content-type': JSON_TYPE, ...headers } }),
      401,
      error,
    );
    await expectError(await fetch(`${gateway.url}/v1/models`, { headers }), 401, error);
  });

  test('without the scope: 403; models need less', async () => {
    const headers = { authorization: `Bearer ${VIEW_KEY}` };
    await expectError(await post(gateway, CHAT, chat('tiny'), { headers }), 403, { code: 'missing_scope' });
    expect((await fetch(`${gateway.url}/v1/models`, { headers })).status).toBe(200);
  });

  test('a wrong key is refused before the body is read', async () => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n`);
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('bodies', () => {
  test.each(['{', '[]', '"x"', 'null', '', '{"model":"tiny",}', '{"model":NaN}'])('%p: 400', async (body) => {
    await expectError(await post(gateway, CHAT, body), 400, { code: 'invalid_json', param: null });
  });

  test('bytes that are not UTF-8: 400', async () => {
    const body = Buffer.concat([Buffer.from('{"model":"tiny","messages":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const headers = { ...AUTHORIZATION, 'content-type': JSON_TYPE };
    await expectError(await fetch(gateway.url + CHAT, { method: 'POST', body, headers }), 400, {
      code: 'invalid_json',
    });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])(
    '%s: 415',
    async (type) => {
      const response = await post(gateway, CHAT, chat('tiny'), { headers: { 'content-type': type } });
      await expectError(response, 415, { code: 'unsupported_media_type' });
    },
  );

  test('a compressed one: 415', async () => {
    const response = await post(gateway, CHAT, chat('tiny'), { headers: { 'content-encoding': 'gzip' } });
    await expectError(response, 415, { code: 'unsupported_media_type' });
  });

  test('a big one: 413, with its length said and without', async () => {
    const big = JSON.stringify(chat('tiny', { user: 'x'.repeat(5000) }));
    await expectError(await post(gateway, CHAT, big), 413, { code: 'request_too_large' });
    const chunked = await fetch(gateway.url + CHAT, {
      method: 'POST',
      headers: { ...AUTHORIZATION, 'content-type': JSON_TYPE },
      body: new Blob([big]).stream(),
      duplex: 'half',
    });
    await expectError(chunked, 413, { code: 'request_too_large' });
  });

  test('without a model: 400 that names it', async () => {
    await expectError(await post(gateway, CHAT, { messages: [] }), 400, { param: 'model' });
    await expectError(await post(gateway, CHAT, { model: 7, messages: [] }), 400, { param: 'model' });
  });

  test('a model that is unknown: 404', async () => {
    await expectError(await post(gateway, CHAT, chat('nothing')), 404, { code: 'model_not_found', param: 'model' });
    const response = await fetch(`${gateway.url}/v1/models/other/tiny`, { headers: AUTHORIZATION });
    await expectError(response, 404, { code: 'model_not_found', param: 'model' });
  });

  test.each([
    ['an expectation', 'expect: miracles', 417],
    ['nothing but a path', 'x-empty: 1', 401],
  ])('%s is answered in the same shape', async (_, field, status) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write(`GET /v1/models HTTP/1.1\r\n${field}\r\nconnection: close\r\n\r\n`);
    let answer = '';
    socket.on('data', (data) => (answer += String(data)));
    await once(socket, 'close');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*x-request-id: req_`));
    const [, body = ''] = answer.split('\r\n\r\n');
    const { error } = JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0$/g, '')) as { error: object };
    expect(Object.keys(error)).toHaveLength(4);
  });

  test('what is not HTTP: 400 in the same shape', async () => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write('nonsense\r\n\r\n');
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
    const [head, body] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 [\s\S]*x-request-id: req_/);
    expect(Object.keys((JSON.parse(body ?? '') as { error: object }).error)).toHaveLength(4);
  });
});

test('a deployment that was deleted leaves no series behind', async () => {
  const metrics = new MetricsRegistry();
  const measured = new GatewayMetrics(metrics);
  const [gone, stays] = [new FakeDeployment('gone'), new FakeDeployment('stays')];
  const measure = (deployment: FakeDeployment): void => {
    measured.begin('online')({ route: 'models', status: 200, seconds: 1, deployment });
    measured.firstByte(deployment, true, 1);
    measured.retried(deployment, 'reset');
    measured.broken(deployment, 'reset');
    measured.engineUnread(deployment);
    measured.hold(deployment, false)();
  };
  measure(gone);
  measure(stays);
  const endHold = measured.hold(gone, true);
  gone.end('removed');
  await measured.forget(gone);
  // Of requests that were under way.
  measure(gone);
  endHold();
  const text = await metrics.metrics();
  expect(text).not.toContain('deployment="gone"');
  expect(text).toContain('deployment="stays"');
});

test('metrics and log name routes, codes and deployments, and no word of a prompt or a key', async () => {
  await post(gateway, '/api/v2/external/chat/completions', chat('tiny', { user: SECRET }));
  await post(gateway, `/v1/${SECRET}`, {});
  const metrics = await gateway.metrics.metrics();
  expect(metrics).toMatch(
    /requests_total\{route="chat_completions",code="200",class="online",namespace="default",deployment="tiny"\}/,
  );
  expect(metrics).toMatch(/requests_total\{route="other",code="404",class="online",namespace="",deployment=""\}/);
  expect(metrics).toMatch(/infer_gateway_requests_in_flight 0/);
  for (const text of [metrics, gateway.log()]) {
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(KEY);
  }
  expect(gateway.log()).toContain('"keyId":"test"');
});
