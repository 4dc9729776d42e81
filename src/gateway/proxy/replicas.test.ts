/** What the gateway does while replicas are missing, dead or hung. */
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
import { chat, FakeDeployment, post } from '../../../test/support/gateway.ts';
import { CHAT, engine, gatewayFor } from '../../../test/support/gateway-bed.ts';

describe('without a serving replica', () => {
  test('requests are held, and served in order when one turns serving', async () => {
    const upstream = await engine(answersWhole);
    const deployment = new FakeDeployment('tiny');
    const gateway = await gatewayFor(deployment);
    const answers: Promise<Response>[] = [];
    for (const index of [0, 1, 2]) {
      answers.push(post(gateway, CHAT, chat('tiny', { user: String(index) })));
      await eventually(async () =>
        expect(await gateway.metrics.metrics()).toContain(
          `infer_gateway_requests_held{class="online",namespace="default",deployment="tiny"} ${index + 1}`,
        ),
      );
    }
    deployment.add(upstream.origin, false);
    expect(upstream.requests).toHaveLength(0);
    deployment.setServing(0, true);
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(upstream.requests.map(({ body }) => (JSON.parse(body) as { user: string }).user)).toEqual(['0', '1', '2']);
    noneInFlight(deployment);
  });

  test('what cannot wait longer, or finds the queue full, gets 503 with Retry-After', async () => {
    const deployment = new FakeDeployment('tiny');
    deployment.holdTimeoutSeconds = 2;
    const gateway = await gatewayFor(deployment, { heldRequests: 1 });
    const first = post(gateway, CHAT, chat('tiny'));
    await eventually(() => expect(deployment.listeners).toBe(1));
    const second = await post(gateway, CHAT, chat('tiny'));
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '10']);
    expect(await second.json()).toEqual({ error: { ...ERROR, code: 'queue_full' } });
    const held = await first;
    expect([held.status, held.headers.get('retry-after')]).toEqual([503, '10']);
    expect(await held.json()).toEqual({ error: { ...ERROR, code: 'model_not_ready' } });
    noneInFlight(deployment);
  });

  test('who is refused is told how long a replica takes to start, and to try again within what OpenAI clients wait for', async () => {
    const deployment = new FakeDeployment('tiny');
    deployment.holdTimeoutSeconds = 0.1;
    const gateway = await gatewayFor(deployment);
    const told = async (loadSeconds: number): Promise<unknown> => {
      deployment.loadSeconds = loadSeconds;
      const { headers } = await post(gateway, CHAT, chat('tiny'));
      return [headers.get('retry-after'), headers.get('x-infer-ready-in')];
    };
    expect(await told(45)).toEqual(['45', '45']);
    expect(await told(300)).toEqual(['60', '300']);
  });

  test('a stream is kept alive by comments, and answered when a replica serves', async () => {
    const upstream = await engine(answersStream);
    const deployment = new FakeDeployment('tiny');
    const gateway = await gatewayFor(deployment, { heartbeatMs: 30 });
    // Resolves with the head: the first heartbeat commits it.
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    deployment.add(upstream.origin);
    const text = await response.text();
    expect(text.replaceAll(': waiting for a replica\n\n', '')).toBe(EVENT + DONE);
    expect(text).toMatch(/^: waiting for a replica\n\n/);
  });

  test('a stream that has waited long enough ends in an error event', async () => {
    const deployment = new FakeDeployment('tiny');
    const gateway = await gatewayFor(deployment, { heartbeatMs: 30, streamHoldTimeoutMs: 200 });
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    expect(lastEvent(await response.text())).toEqual({
      error: { ...ERROR, type: 'server_error', code: 'model_not_ready' },
    });
    noneInFlight(deployment);
  });

  test('an error of the engine after heartbeats is an event', async () => {
    const upstream = await engine(fails(400, { message: 'no', type: 'BadRequestError', param: null, code: 400 }));
    const deployment = new FakeDeployment('tiny');
    const gateway = await gatewayFor(deployment, { heartbeatMs: 30 });
    const response = await post(gateway, CHAT, chat('tiny', { stream: true }));
    deployment.add(upstream.origin);
    expect(lastEvent(await response.text())).toEqual({
      error: { message: 'no', type: 'invalid_request_error', param: null, code: null },
    });
  });

  test('a client that leaves while it waits leaves the queue', async () => {
    const deployment = new FakeDeployment('tiny');
    const gateway = await gatewayFor(deployment);
    const leave = new AbortController();
    const answer = post(gateway, CHAT, chat('tiny'), { signal: leave.signal });
    answer.catch(() => {});
    await eventually(() => expect(deployment.listeners).toBe(1));
    leave.abort();
    await eventually(() => expect(deployment.listeners).toBe(0));
    noneInFlight(deployment);
  });
});

describe('dead and hung replicas', () => {
  test('one that misses three health checks gives its requests back', async () => {
    let begin: (() => void) | undefined;
    let hangs = false;
    const hung = await engine(
      (response, _, body) => {
        if (!body.includes('"begin"')) return;
        head(response);
        begin = () => void response.write(EVENT);
      },
      () => !hangs,
    );
    const good = await engine(answersStream);
    const deployment = new FakeDeployment('tiny', [hung.origin]);
    const gateway = await gatewayFor(deployment, { probeIntervalMs: 50, probeMisses: 3 });
    const begun = await post(gateway, CHAT, chat('tiny', { stream: true, user: 'begin' }));
    const silent = post(gateway, CHAT, chat('tiny', { stream: true })).then((response) => response.text());
    await eventually(() => expect(hung.requests).toHaveLength(2));
    begin?.();
    let text = '';
    const read = (async () => {
      for await (const chunk of begun.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
    })();
    await eventually(() => expect(text).toBe(EVENT));
    hangs = true;
    deployment.add(good.origin);
    expect(await silent).toBe(EVENT + DONE);
    await read;
    expect(lastEvent(text)).toEqual({ error: { ...ERROR, type: 'server_error', code: 'upstream_error' } });
    noneInFlight(deployment);
    // It is left out from now on: with nothing in flight it would be the picker's first choice.
    expect(await (await post(gateway, CHAT, chat('tiny', { stream: true }))).text()).toBe(EVENT + DONE);
    expect(hung.requests).toHaveLength(2);
  });

  test('five failures in a row leave a replica out', async () => {
    const bad = await engine(breaks);
    const good = await engine(answersWhole);
    const deployment = new FakeDeployment('tiny', [bad.origin, good.origin]);
    const gateway = await gatewayFor(deployment);
    for (let count = 0; count < 7; count += 1) {
      expect((await post(gateway, CHAT, chat('tiny'))).status).toBe(200);
    }
    expect([bad.requests.length, good.requests.length]).toEqual([5, 7]);
    expect(await gateway.metrics.metrics()).toContain('infer_gateway_replica_ejections_total{reason="reset"} 1');
  });
});
