/** What a gateway counts of the requests that the batch process sends. */
import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import type { Agent } from 'undici';
import { fails, head } from '../../../test/support/engine-replies.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { chat, FakeDeployment, startGateway, type RunningGateway } from '../../../test/support/gateway.ts';
import { CHAT, engine, onlyUsed } from '../../../test/support/gateway-bed.ts';
import { TokenIssuer } from '../../../test/support/token-issuer.ts';
import { channelEnds } from '../../channel/ends.ts';
import { channelAgent, channelOrigin } from '../../channel/http-client.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT } from '../../channel/port.ts';
import type { UsageRow } from '../../channel/usage-report.ts';

let gateway: RunningGateway;
let agent: Agent;

afterEach(async () => {
  await agent.destroy();
  await gateway.close();
});

const used = (): UsageRow => onlyUsed(gateway);

const answers = (response: ServerResponse): void => {
  head(response, 'application/json');
  response.end('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}');
};

/** Starts a gateway before this engine; returns what sends it a request of a batch. */
async function startForBatch(origin: string) {
  const issuer = await TokenIssuer.create();
  const ends = (serviceAccount: string) =>
    channelEnds(issuer as never, { namespace: 'infer-system', serviceAccount, name: 'pod', uid: 'uid' });
  const robot = { keyId: 'robot', namespace: 'default', name: 'robot', scopes: new Set(['files'] as const) };
  gateway = await startGateway(
    [new FakeDeployment('tiny', [origin])],
    {},
    { internal: { end: ends(GATEWAY_ACCOUNT)(BATCH_ACCOUNT), keys: { find: () => robot } } },
  );
  const internal = channelOrigin('127.0.0.1', await gateway.listenInternal());
  agent = channelAgent(ends(BATCH_ACCOUNT)(GATEWAY_ACCOUNT), { maxConnectionsPerOrigin: 1 });
  const headers = {
    'x-infer-namespace': 'default',
    'x-infer-key': 'robot',
    'content-type': 'application/json',
  };
  const body = JSON.stringify(chat('tiny'));
  return async (signal: AbortSignal | null = null) =>
    await agent.request({ origin: internal, path: CHAT, method: 'POST', headers, body, signal });
}

test('a request of a batch is counted for the key on whose behalf it is, in a class of its own', async () => {
  const send = await startForBatch((await engine(answers)).origin);
  await (await send()).body.dump();
  await eventually(() => expect(used()).toMatchObject({ key: 'robot', promptTokens: 7, completionTokens: 3 }));
  expect(await gateway.metrics.metrics()).toMatch(/tokens_total\{kind="completion",.*class="batch"\} 3/);
});

test('it is counted once, however often it fails or whoever runs it goes away before its answer', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let tries = 0;
  let closed = false;
  const upstream = await engine((response) => {
    tries += 1;
    if (tries === 1) return fails(500, { message: 'no', type: 'InternalServerError', code: 500 })(response);
    if (tries === 2) {
      response.once('close', () => (closed = true));
      return resolve();
    }
    answers(response);
  });
  const send = await startForBatch(upstream.origin);
  await (await send()).body.dump();
  const leave = new AbortController();
  const left = send(leave.signal).catch(() => undefined);
  await asked;
  leave.abort();
  await left;
  await eventually(() => expect(closed).toBe(true));
  await (await send()).body.dump();
  await eventually(() => expect(used()).toMatchObject({ requests: 1, promptTokens: 7, completionTokens: 3 }));
  expect(used()).toMatchObject({ failedRequests: 0, answeredRequests: 1 });
});

test('it is counted as failed where its engine refuses it, which is its result', async () => {
  const send = await startForBatch(
    (await engine(fails(400, { message: 'no', type: 'BadRequestError', code: 400 }))).origin,
  );
  await (await send()).body.dump();
  await eventually(() => expect(used()).toMatchObject({ key: 'robot', requests: 1, failedRequests: 1 }));
});
