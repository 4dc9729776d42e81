/** What a gateway counts, beside what simulated vLLM processes say that they made. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DONE, EVENT, fails, head } from '../../../test/support/engine-replies.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { chat, FakeDeployment, post, startGateway, type RunningGateway } from '../../../test/support/gateway.ts';
import { CHAT, engine as fakeEngine, onlyUsed } from '../../../test/support/gateway-bed.ts';
import { spawnSimulator, type SimulatorProcess } from '../../../test/vllm-sim/child.ts';
import type { UsageRow } from '../../channel/usage-report.ts';

const FLAGS = ['--model', 'tiny/tiny', '--served-model-name', 'tiny', '--enable-prompt-tokens-details'];
const LONG = { max_tokens: 7000, ignore_eos: true, stream: true };

const simulators: SimulatorProcess[] = [];
let engine: SimulatorProcess;
let gateway: RunningGateway;

async function simulator(environment: Record<string, string> = {}): Promise<SimulatorProcess> {
  const started = spawnSimulator(FLAGS, environment);
  simulators.push(started);
  await started.ready();
  return started;
}

beforeAll(async () => {
  engine = await simulator();
});

afterAll(async () => {
  for (const { child } of simulators) child.kill('SIGKILL');
  await Promise.all(simulators.map(({ ended }) => ended));
});

async function start(origins: string[]): Promise<void> {
  gateway = await startGateway([new FakeDeployment('tiny', origins)]);
}

beforeEach(async () => {
  await start([await engine.ready()]);
});

afterEach(() => gateway.close());

const used = (): UsageRow => onlyUsed(gateway);

/** Tokens of prompts and answers that the engine says to have worked on. */
async function made(by = engine): Promise<{ promptTokens: number; completionTokens: number }> {
  const text = await (await fetch(`${await by.ready()}/metrics`)).text();
  const total = (name: string): number => Number(new RegExp(`^vllm:${name}\\{.*\\} (\\S+)$`, 'm').exec(text)?.[1]);
  return { promptTokens: total('prompt_tokens_total'), completionTokens: total('generation_tokens_total') };
}

async function difference(use: () => Promise<void>): Promise<{ promptTokens: number; completionTokens: number }> {
  const before = await made();
  await use();
  const after = await made();
  return {
    promptTokens: after.promptTokens - before.promptTokens,
    completionTokens: after.completionTokens - before.completionTokens,
  };
}

describe('an answer is counted as the engine counts it', () => {
  test.each([
    ['a chat', CHAT, chat('tiny')],
    ['a stream', CHAT, chat('tiny', { stream: true })],
    ['a stream that shows its usage', CHAT, chat('tiny', { stream: true, stream_options: { include_usage: true } })],
    ['several choices', CHAT, chat('tiny', { stream: true, n: 3 })],
    ['a completion', '/v1/completions', { model: 'tiny', prompt: ['one', 'two words'], max_tokens: 4, n: 2 }],
    ['a streamed one', '/v1/completions', { model: 'tiny', prompt: ['a', 'b c'], max_tokens: 4, stream: true }],
  ])('%s', async (_, path, body) => {
    const engineMade = await difference(async () => {
      const response = await post(gateway, path, body);
      expect(response.status).toBe(200);
      const text = await response.text();
      const asks = 'stream_options' in body || !('stream' in body);
      expect(text.match(/"usage"/g)?.length ?? 0).toBe(asks ? 1 : 0);
    });
    await eventually(() => expect(used().requests).toBe(1));
    const { completionTokens } = engineMade;
    // The engine takes a prompt for each of its choices.
    const promptTokens = engineMade.promptTokens / ('n' in body ? Number(body.n) : 1);
    expect(used()).toMatchObject({
      key: 'test',
      namespace: 'default',
      deployment: 'tiny',
      promptTokens,
      completionTokens,
    });
    expect(used()).toMatchObject({ failedRequests: 0, answeredRequests: 1 });
    expect(used().latencyMs).toBeGreaterThanOrEqual(used().firstTokenMs);
  });

  test('with the cached tokens of its prompt', async () => {
    const messages = [{ role: 'user', content: 'word '.repeat(100) }];
    for (const stream of [false, true]) await (await post(gateway, CHAT, chat('tiny', { messages, stream }))).text();
    await eventually(() => expect(used().requests).toBe(2));
    expect(used().cachedTokens).toBe(96);
    const metrics = await gateway.metrics.metrics();
    expect(metrics).toMatch(/tokens_total\{kind="cached",namespace="default",deployment="tiny",class="online"\} 96/);
    expect(metrics).toMatch(/key_tokens_total\{kind="cached",key_namespace="default",key="test"\} 96/);
    expect(metrics).toMatch(/key_requests_total\{outcome="answered",key_namespace="default",key="test"\} 2/);
  });

  test('of embeddings', async () => {
    const usage = '"usage":{"prompt_tokens":9,"total_tokens":9,"completion_tokens":0,"prompt_tokens_details":null}';
    const upstream = await fakeEngine((response) => {
      head(response, 'application/json');
      response.end(`{"model":"tiny","data":[{"embedding":[${'0.5,'.repeat(500_000)}1]}],${usage}}`);
    });
    await gateway.close();
    gateway = await startGateway([new FakeDeployment('tiny', [upstream.origin])], { bufferedReplyBytes: 100_000 });
    await (await post(gateway, '/v1/embeddings', { model: 'tiny', input: 'x' })).arrayBuffer();
    await eventually(() => expect(used()).toMatchObject({ requests: 1, promptTokens: 9, completionTokens: 0 }));
  });

  test.each([
    ['held back', 10],
    ['passed on', 500_000],
  ])('of one that is too large, also where its usage is in the part that is %s', async (_, bytesBefore) => {
    const usage = '"usage":{"prompt_tokens":9,"total_tokens":12,"completion_tokens":3,"prompt_tokens_details":null}';
    const upstream = await fakeEngine((response) => {
      head(response, 'application/json');
      const choices = `"choices":[{"message":{"content":"${'a'.repeat(bytesBefore)}"}}]`;
      response.end(`{"model":"tiny",${choices},${usage},"prompt_logprobs":[${'null,'.repeat(100_000)}null]}`);
    });
    await gateway.close();
    gateway = await startGateway([new FakeDeployment('tiny', [upstream.origin])], { bufferedReplyBytes: 100_000 });
    await (await post(gateway, CHAT, chat('tiny', { prompt_logprobs: 1 }))).arrayBuffer();
    await eventually(() => expect(used()).toMatchObject({ requests: 1, promptTokens: 9, completionTokens: 3 }));
  });
});

describe('a client that leaves a stream', () => {
  test('is counted what reached the gateway, which is all that the engine made but for its last moment', async () => {
    // Slow enough that it makes no token between the last one and the end.
    const slow = await simulator({ SIM_SPEED: '0.1' });
    await gateway.close();
    await start([await slow.ready()]);
    const leave = new AbortController();
    const response = await post(gateway, CHAT, chat('tiny', LONG), { signal: leave.signal });
    const reader = response.body?.getReader();
    let text = '';
    while (text.split('"content":').length < 8) text += Buffer.from((await reader?.read())?.value ?? []).toString();
    leave.abort();
    await eventually(() => expect(used().requests).toBe(1));
    const engineMade = await made(slow);
    expect(engineMade.completionTokens).toBeGreaterThan(3);
    expect(used()).toMatchObject({ promptTokens: engineMade.promptTokens, failedRequests: 0, answeredRequests: 1 });
    expect(engineMade.completionTokens - used().completionTokens).toBeLessThanOrEqual(1);
    expect(used().completionTokens).toBeGreaterThanOrEqual(text.split('"content":').length - 2);
    expect(text).not.toContain('"usage"');
  });

  test('before its first event is counted as a request, without tokens', async () => {
    const upstream = await fakeEngine((response) => head(response));
    await gateway.close();
    await start([upstream.origin]);
    const leave = new AbortController();
    await post(gateway, CHAT, chat('tiny', { stream: true }), { signal: leave.signal });
    leave.abort();
    await eventually(() => expect(used().requests).toBe(1));
    expect(used()).toMatchObject({ promptTokens: 0, completionTokens: 0, failedRequests: 0, answeredRequests: 0 });
    expect(await gateway.metrics.metrics()).toMatch(/key_requests_total\{outcome="left".*\} 1/);
  });
});

const told = (tokens: number): string =>
  `data: {"choices":[{"index":0}],"usage":{"prompt_tokens":5,"completion_tokens":${tokens}}}\n\n`;

describe('a stream that goes on', () => {
  test('is counted as far as it is, and its end counts the rest', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const upstream = await fakeEngine(async (response) => {
      head(response);
      response.write(told(3));
      await promise;
      response.end(`${told(4)}data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n${DONE}`);
    });
    await gateway.close();
    await start([upstream.origin]);
    const answer = post(gateway, CHAT, chat('tiny', { stream: true })).then((response) => response.text());
    await eventually(() => {
      gateway.meter.settle();
      expect(used()).toMatchObject({ requests: 0, promptTokens: 5, completionTokens: 3 });
    });
    resolve();
    await answer;
    await eventually(() => expect(used()).toMatchObject({ requests: 1, promptTokens: 5, completionTokens: 6 }));
  });
});

describe('a request that fails', () => {
  test('is counted with the tokens that were known when its engine died', async () => {
    const dying = await simulator({ SIM_SPEED: '0.2' });
    await gateway.close();
    await start([await dying.ready()]);
    const response = await post(gateway, CHAT, chat('tiny', LONG));
    const reader = response.body?.getReader();
    let text = '';
    const more = async (): Promise<boolean> => {
      const read = await reader?.read();
      text += Buffer.from(read?.value ?? []).toString();
      return read?.done !== true;
    };
    while (text.split('"content":').length < 6) await more();
    dying.child.kill('SIGKILL');
    while (await more());
    await eventually(() => expect(used()).toMatchObject({ requests: 1, failedRequests: 1, answeredRequests: 1 }));
    // Each token is an event, beside the first one that carries the role.
    expect(used().completionTokens).toBe(text.split('"content":').length - 2);
  });

  test.each([
    ['refused by its engine', 400, fails(400, { message: 'no', type: 'BadRequestError', code: 400 })],
    ['broken by its engine', 500, fails(500, { message: 'no', type: 'InternalServerError', code: 500 })],
  ])('one %s has no tokens', async (_, status, handler) => {
    const upstream = await fakeEngine(handler);
    await gateway.close();
    await start([upstream.origin]);
    expect((await post(gateway, CHAT, chat('tiny'))).status).toBe(status);
    await eventually(() => expect(used()).toMatchObject({ requests: 1, failedRequests: 1, promptTokens: 0 }));
    expect(used().answeredRequests).toBe(0);
  });

  test('is not answered where only an attempt that nobody got had begun to be', async () => {
    let tries = 0;
    const upstream = await fakeEngine((response) => {
      tries += 1;
      if (tries > 1) return fails(500, { message: 'no', type: 'InternalServerError', code: 500 })(response);
      head(response, 'application/json');
      response.write('{"id":', () => setTimeout(() => response.destroy(), 20));
    });
    await gateway.close();
    await start([upstream.origin]);
    expect((await post(gateway, CHAT, chat('tiny'))).status).toBe(500);
    expect(tries).toBe(2);
    await eventually(() => expect(used()).toMatchObject({ requests: 1, failedRequests: 1, answeredRequests: 0 }));
    expect(used().firstTokenMs).toBe(0);
  });

  test('a request that another replica answers is one, with the tokens of its answer', async () => {
    const breaking = await fakeEngine((response) => void response.destroy());
    await gateway.close();
    await start([breaking.origin, await engine.ready()]);
    await (await post(gateway, CHAT, chat('tiny', { stream: true }))).text();
    await eventually(() => expect(used()).toMatchObject({ requests: 1, failedRequests: 0, completionTokens: 5 }));
  });

  test('an engine that tells no usage has its requests counted', async () => {
    const upstream = await fakeEngine((response) => {
      head(response);
      response.end(EVENT + DONE);
    });
    await gateway.close();
    await start([upstream.origin]);
    await (await post(gateway, CHAT, chat('tiny', { stream: true }))).text();
    await eventually(() => expect(used()).toMatchObject({ requests: 1, answeredRequests: 1, promptTokens: 0 }));
  });
});
