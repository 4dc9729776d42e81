/** Which failures another replica makes good. */
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
  noneInFlight,
} from '../../../test/support/engine-replies.ts';
import { chat, FakeDeployment, post, startEngine } from '../../../test/support/gateway.ts';
import { CHAT, engine, gatewayFor } from '../../../test/support/gateway-bed.ts';

describe('after the end', () => {
  test('a connection that breaks behind [DONE] is no failure, and nothing comes behind it', async () => {
    const upstream = await engine((response: ServerResponse) => {
      head(response);
      response.write(EVENT + DONE, () => setTimeout(() => response.socket?.resetAndDestroy(), 50));
    });
    const deployment = new FakeDeployment('tiny', [upstream.origin]);
    const gateway = await gatewayFor(deployment);
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect(await response.text()).toBe(EVENT + DONE);
    noneInFlight(deployment);
  });
});

describe('a broken engine', () => {
  test('that answers errors fast is left out after a few, instead of getting nearly everything', async () => {
    const broken = await engine(fails(500, { message: 'CUDA error', type: 'InternalServerError' }));
    const healthy = await engine(answersWhole);
    const gateway = await gatewayFor(new FakeDeployment('tiny', [broken.origin, healthy.origin]));
    const statuses: number[] = [];
    for (let index = 0; index < 30; index += 1) statuses.push((await post(gateway, CHAT, chat('tiny'))).status);
    expect(statuses.filter((status) => status !== 200).length).toBeLessThanOrEqual(5);
  });
});

test('an engine that lacks an adapter is not left out for it', async () => {
  const older = await engine(fails(404, { message: 'x', type: 'NotFoundError', code: 404 }));
  const gateway = await gatewayFor(new FakeDeployment('tiny', [older.origin]));
  for (let sent = 1; sent <= 10; sent += 1) {
    expect((await post(gateway, CHAT, chat('tiny'))).status).toBe(503);
    expect(older.requests).toHaveLength(sent);
  }
});

describe('before the first byte', () => {
  test.each([
    ['a broken connection', breaks],
    ['502', fails(502, { message: 'x' })],
    ['503 of a full engine', fails(503, { message: 'x', type: 'QueueOverflowError' })],
    ['504', fails(504, { message: 'x' })],
    ['a dead engine', fails(500, { message: 'x', type: 'EngineDeadError', code: 500 })],
    ['an engine from before an adapter was added', fails(404, { message: 'x', type: 'NotFoundError', code: 404 })],
    ['a drain', fails(500, { message: 'cannot schedule new futures after shutdown' })],
    [
      'an error as the first event',
      (response: ServerResponse) => {
        head(response);
        response.end(`data: {"error":{"message":"x","type":"EngineDeadError","code":500}}\n\n${DONE}`);
      },
    ],
    [
      'a stream without events',
      (response: ServerResponse) => {
        head(response);
        response.end();
      },
    ],
  ])('%s: the other replica answers', async (_, handler) => {
    const bad = await engine(handler);
    const good = await engine(answersStream);
    const deployment = new FakeDeployment('tiny', [bad.origin, good.origin]);
    const gateway = await gatewayFor(deployment);
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect([response.status, await response.text()]).toEqual([200, EVENT + DONE]);
    expect([bad.requests.length, good.requests.length]).toEqual([1, 1]);
    noneInFlight(deployment);
  });

  test('a refused connection: the other replica answers', async () => {
    const gone = await startEngine(answersStream);
    gone.close();
    const good = await engine(answersStream);
    const deployment = new FakeDeployment('tiny', [gone.origin, good.origin]);
    const response = await post(await gatewayFor(deployment), CHAT, chat('tiny', { stream: true }));
    expect(await response.text()).toBe(EVENT + DONE);
    noneInFlight(deployment);
  });

  test('a broken connection to the only replica is tried again there at once', async () => {
    let count = 0;
    const upstream = await engine((response) => (count++ === 0 ? breaks(response) : answersWhole(response)));
    const deployment = new FakeDeployment('tiny', [upstream.origin]);
    const response = await post(await gatewayFor(deployment), CHAT, chat('tiny'));
    expect(response.status).toBe(200);
    expect(count).toBe(2);
  });

  test('after two retries it is over: 503 with Retry-After for a request that was being worked on', async () => {
    const engines = [await engine(breaks), await engine(breaks), await engine(breaks), await engine(answersWhole)];
    const deployment = new FakeDeployment(
      'tiny',
      engines.map(({ origin }) => origin),
    );
    const response = await post(await gatewayFor(deployment), CHAT, chat('tiny'));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toEqual({ error: { ...ERROR, code: 'upstream_error' } });
    expect(engines.map(({ requests }) => requests.length)).toEqual([1, 1, 1, 0]);
    noneInFlight(deployment);
  });

  test('a replica that nobody can connect to any more: 503 with Retry-After', async () => {
    const gone = await startEngine(answersWhole);
    gone.close();
    const gateway = await gatewayFor(new FakeDeployment('tiny', [gone.origin]), { retryPauseMs: 20 });
    const response = await post(gateway, CHAT, chat('tiny'));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.json()).toEqual({ error: { ...ERROR, code: 'model_unavailable' } });
  });

  test('a full engine without another: 503 at once, and it stays in', async () => {
    const full = await engine(
      fails(503, { message: 'max_num_queued_reqs (1)', type: 'QueueOverflowError', code: 503 }),
    );
    const deployment = new FakeDeployment('tiny', [full.origin]);
    const response = await post(await gatewayFor(deployment), CHAT, chat('tiny'));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.text()).not.toContain('QueueOverflowError');
    expect(full.requests).toHaveLength(1);
  });

  test('a stream whose first byte does not come in time is asked of another', async () => {
    const silent = await engine((response) => head(response));
    const good = await engine(answersStream);
    const deployment = new FakeDeployment('tiny', [silent.origin, good.origin]);
    const gateway = await gatewayFor(deployment, { firstByteTimeoutMs: 500 });
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect(await response.text()).toBe(EVENT + DONE);
    noneInFlight(deployment);
  });

  test('a request that the engine refuses is not asked again', async () => {
    const type = 'BadRequestError';
    const upstream = await engine(
      fails(400, { message: 'temperature must be ...', type, param: 'temperature', code: 400 }),
    );
    const deployment = new FakeDeployment('tiny', [upstream.origin, upstream.origin]);
    const response = await post(await gatewayFor(deployment), CHAT, chat('tiny'));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: { message: 'temperature must be ...', type: 'invalid_request_error', param: 'temperature', code: null },
    });
    expect(upstream.requests).toHaveLength(1);
  });
});
