/** The gateway's port for the batch process, over a channel as it is in a cluster. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Agent } from 'undici';
import { chat, FakeDeployment, post, startGateway, type RunningGateway } from '../../test/support/gateway.ts';
import { CHAT, engine } from '../../test/support/gateway-bed.ts';
import { eventually } from '../../test/support/eventually.ts';
import { TokenIssuer } from '../../test/support/token-issuer.ts';
import { channelEnds } from '../channel/ends.ts';
import { channelAgent, channelOrigin } from '../channel/http-client.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT, OPERATOR_ACCOUNT } from '../channel/port.ts';
import type { KeysByName } from './auth/on-behalf.ts';
import type { GatewayLimits } from './limits.ts';

const ON_BEHALF = { 'x-infer-namespace': 'default', 'x-infer-key': 'robot', 'x-request-id': 'req_of_batch' };

let issuer: TokenIssuer;
let agent: Agent;
let gateway: RunningGateway;
let origin: string;

beforeEach(async () => {
  issuer = await TokenIssuer.create();
  agent = agentOf(BATCH_ACCOUNT);
});

afterEach(async () => {
  await agent.destroy();
  await gateway.close();
});

function ends(serviceAccount: string): ReturnType<typeof channelEnds> {
  return channelEnds(issuer as never, { namespace: 'infer-system', serviceAccount, name: 'pod', uid: 'uid' });
}

const agentOf = (account: string): Agent =>
  channelAgent(ends(account)(GATEWAY_ACCOUNT), { maxConnectionsPerOrigin: 64 });

const keys: KeysByName = {
  find: (namespace, name) =>
    namespace === 'default' && name === 'robot'
      ? { keyId: 'robot', namespace, name, scopes: new Set(['files']) }
      : undefined,
};

async function start(deployment: FakeDeployment, limits: Partial<GatewayLimits> = {}): Promise<void> {
  gateway = await startGateway([deployment], limits, { internal: { end: ends(GATEWAY_ACCOUNT)(BATCH_ACCOUNT), keys } });
  origin = channelOrigin('127.0.0.1', await gateway.listenInternal());
}

interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, unknown>;
}

async function ask(path: string, body?: unknown, headers: Record<string, string> = ON_BEHALF): Promise<Answer> {
  const answer = await agent.request({
    origin,
    path,
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, body: await answer.body.json(), headers: answer.headers };
}

const loadOf = async (): Promise<unknown> => (await ask('/internal/load/default/tiny')).body;

/** An engine whose answers wait for a word. */
async function slowEngine(): Promise<{ origin: string; answer: () => void; asked: () => number }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const started = await engine(async (response) => {
    await promise;
    response.end('{"choices":[],"model":"tiny"}');
  });
  return { origin: started.origin, answer: resolve, asked: () => started.requests.length };
}

describe('a request of a batch', () => {
  test('is answered by an engine, and is in no count of clients', async () => {
    const { origin: replica, answer } = await slowEngine();
    const deployment = new FakeDeployment('tiny', [replica]);
    await start(deployment);
    const asked = ask(CHAT, chat('tiny'));
    await eventually(() => expect(deployment.all).toMatchObject([{ inFlight: 1, batchInFlight: 1 }]));
    expect(gateway.load.changesSince(0).deployments).toMatchObject([
      { arrivals: 0, held: 0, ages: new Map(), replicas: [{ podUid: 'pod-0', inFlight: 1, batchInFlight: 1 }] },
    ]);
    answer();
    expect(await asked).toMatchObject({ status: 200, body: { model: 'tiny' } });
    expect(deployment.all).toMatchObject([{ inFlight: 0, batchInFlight: 0, outstandingTokens: 0 }]);
    const [report] = gateway.load.changesSince(0).deployments;
    expect(report).toMatchObject({ arrivals: 0, completed: 0, latency: new Map(), firstByte: new Map(), replicas: [] });
    const metrics = await gateway.metrics.metrics();
    expect(metrics).toMatch(/requests_total\{route="chat_completions",code="200",class="batch"/);
    expect(metrics).not.toMatch(/first_byte_seconds_count\{/);
  });

  test.each([
    ['a key that is not', { 'x-infer-namespace': 'default', 'x-infer-key': 'gone' }],
    ['no key', {}],
    ["a client's key", { authorization: 'Bearer sk-test' }],
  ])('on behalf of %s is refused', async (_, headers) => {
    await start(new FakeDeployment('tiny'));
    expect(await ask(CHAT, chat('tiny'), headers)).toMatchObject({
      status: 401,
      body: { error: { code: 'invalid_api_key' } },
    });
  });

  test('is not tried again here: whoever runs the batch does', async () => {
    const broken = await engine((response) => void response.destroy());
    const whole = await engine((response) => void response.end('{"choices":[]}'));
    await start(new FakeDeployment('tiny', [broken.origin, whole.origin]));
    const answers = [await ask(CHAT, chat('tiny')), await ask(CHAT, chat('tiny'))];
    expect(answers.map(({ status }) => status)).toContain(503);
    expect(broken.requests.length + whole.requests.length).toBe(2);
    expect(await gateway.metrics.metrics()).not.toMatch(/retries_total\{/);
  });

  test('that an engine fails at leaves the replica to clients, whose own failures count', async () => {
    const broken = await engine((response) => void response.writeHead(500).end('{}'));
    await start(new FakeDeployment('tiny', [broken.origin]), { ejectionFailures: 2 });
    for (let sent = 0; sent < 4; sent += 1) expect((await ask(CHAT, chat('tiny'))).status).toBe(500);
    for (const ejected of [false, true]) {
      expect((await post(gateway, CHAT, chat('tiny'))).status).toBe(500);
      expect((await gateway.metrics.metrics()).includes('ejections_total{')).toBe(ejected);
    }
  });

  test('waits for a replica without waking one', async () => {
    const { origin: replica, answer } = await slowEngine();
    const deployment = new FakeDeployment('tiny');
    await start(deployment);
    let urgent = 0;
    gateway.load.onUrgent(() => (urgent += 1));
    const asked = ask(CHAT, chat('tiny'));
    await eventually(async () => expect(await loadOf()).toMatchObject({ batchHeld: 1, onlineHeld: 0 }));
    expect(gateway.load.changesSince(0).deployments).toMatchObject([{ held: 0, oldestHeldMs: 0 }]);
    expect(urgent).toBe(0);
    deployment.add(replica);
    answer();
    expect((await asked).status).toBe(200);
    expect(await loadOf()).toMatchObject({ batchHeld: 0 });
  });

  test('is refused where too many wait', async () => {
    const deployment = new FakeDeployment('tiny');
    await start(deployment, { heldBatchRequests: 1 });
    const held = ask(CHAT, chat('tiny'));
    await eventually(async () => expect(await loadOf()).toMatchObject({ batchHeld: 1 }));
    const refused = await ask(CHAT, chat('tiny'));
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'queue_full' } } });
    expect(refused.headers['retry-after']).toBeDefined();
    deployment.end('removed');
    expect((await held).status).toBe(404);
  });

  test('ends with its gateway: what is not done in time is told to be sent again', async () => {
    const { origin: replica, answer, asked } = await slowEngine();
    await start(new FakeDeployment('tiny', [replica]));
    const [first, second] = [ask(CHAT, chat('tiny')), ask(CHAT, chat('tiny'))];
    await eventually(() => expect(asked()).toBe(2));
    await gateway.close(50);
    expect([await first, await second]).toMatchObject([
      { status: 503, body: { error: { code: 'gateway_restarting' } } },
      { status: 503 },
    ]);
    answer();
  });

  test('ends before its gateway does', async () => {
    const { origin: replica, answer, asked } = await slowEngine();
    await start(new FakeDeployment('tiny', [replica]));
    const first = ask(CHAT, chat('tiny'));
    await eventually(() => expect(asked()).toBe(1));
    const closed = gateway.close(60_000);
    await expect(ask(CHAT, chat('tiny'))).rejects.toThrow(/ECONNREFUSED|closed|reset/i);
    answer();
    expect((await first).status).toBe(200);
    await closed;
  });
});

describe('the batch process asks', () => {
  test('which deployment a model is', async () => {
    await start(new FakeDeployment('tiny'));
    expect(await ask('/internal/models/tiny')).toMatchObject({
      status: 200,
      body: { namespace: 'default', name: 'tiny' },
    });
    expect((await ask('/internal/models/default/tiny')).body).toEqual({ namespace: 'default', name: 'tiny' });
    expect(await ask('/internal/models/none')).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found' } },
    });
    expect((await ask('/internal/models/tiny', undefined, {})).status).toBe(401);
  });

  test('what load there is', async () => {
    const { origin: replica, answer, asked } = await slowEngine();
    const deployment = new FakeDeployment('tiny', [replica]);
    await start(deployment);
    expect(await loadOf()).toEqual({
      replicas: [{ podUid: 'pod-0', serving: true, onlineInFlight: 0, batchInFlight: 0, waiting: 0, kvCacheUsage: 0 }],
      onlineHeld: 0,
      batchHeld: 0,
      onlineIdleMs: expect.any(Number),
    });
    const requests = [ask(CHAT, chat('tiny')), post(gateway, CHAT, chat('tiny')), post(gateway, CHAT, chat('tiny'))];
    await eventually(() => expect(asked()).toBe(3));
    const first = deployment.all[0];
    if (first !== undefined) first.engine = { at: performance.now(), waiting: 7, kvCacheUsage: 0.5, totals: undefined };
    expect(await loadOf()).toMatchObject({
      replicas: [{ onlineInFlight: 2, batchInFlight: 1, waiting: 7, kvCacheUsage: 0.5 }],
      onlineIdleMs: 0,
    });
    if (first !== undefined)
      first.engine = { at: performance.now() - 60_000, waiting: 7, kvCacheUsage: 0.5, totals: undefined };
    expect(await loadOf()).toMatchObject({ replicas: [{ waiting: 0, kvCacheUsage: 0 }] });
    answer();
    await Promise.all(requests);
    await eventually(async () => {
      const { onlineIdleMs } = (await loadOf()) as { onlineIdleMs: number };
      expect(onlineIdleMs).toBeGreaterThan(0);
      expect(onlineIdleMs).toBeLessThan(5_000);
    });
    expect(await ask('/internal/load/default/none')).toMatchObject({ status: 404 });
  });

  test('and nobody else: neither the operator nor another gateway', async () => {
    await start(new FakeDeployment('tiny'));
    for (const account of [OPERATOR_ACCOUNT, GATEWAY_ACCOUNT]) {
      await agent.destroy();
      agent = agentOf(account);
      await expect(loadOf()).rejects.toThrow(/closed|reset/i);
    }
  });
});
