/** The gateway in front of simulated vLLM processes, called by the official openai client. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { eventually } from '../../test/support/eventually.ts';
import { chat, FakeDeployment, KEY, post, startGateway, type RunningGateway } from '../../test/support/gateway.ts';
import { spawnSimulator, type SimulatorProcess } from '../../test/vllm-sim/child.ts';

const BASES = ['/v1', '/api/v2/external/v1', '/api/v2/external'];
const ARGUMENTS = ['--model', 'tiny/tiny', '--served-model-name', 'tiny'];

const processes: SimulatorProcess[] = [];
let gateway: RunningGateway | undefined;

async function simulator(environment: Record<string, string> = {}, flags: string[] = []): Promise<SimulatorProcess> {
  const started = spawnSimulator([...ARGUMENTS, ...flags], { SIM_CONTROL: '1', ...environment });
  processes.push(started);
  await started.ready();
  return started;
}

/** Sequences that the engine works on, by its own metrics. */
async function running(engine: SimulatorProcess): Promise<number> {
  const text = await (await fetch(`${await engine.ready()}/metrics`)).text();
  return Number(/^vllm:num_requests_running\{.*\} (\S+)$/m.exec(text)?.[1]);
}

function client(base = '/v1', options: { apiKey?: string } = {}): OpenAI {
  return new OpenAI({ baseURL: `${gateway?.url}${base}`, apiKey: KEY, maxRetries: 0, ...options });
}

async function readAll(response: Response): Promise<string[]> {
  return (await response.text()).split('\n\n').filter((event) => event !== '');
}

/** Reads the stream up to its first event with text in it. */
async function readToFirstText(response: Response) {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('The response has no body.');
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes('"content":"') || text.split('\n\n').length < 4) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  const rest = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += decoder.decode(value, { stream: true });
    }
  };
  return { rest, cancel: () => reader.cancel() };
}

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
});

const LONG = { max_tokens: 7000, ignore_eos: true };

describe('one replica', () => {
  let engine: SimulatorProcess;
  let deployment: FakeDeployment;

  beforeAll(async () => {
    engine = await simulator();
  });

  async function start(): Promise<void> {
    deployment = new FakeDeployment('tiny', [await engine.ready()]);
    gateway = await startGateway([deployment]);
  }

  test.each(BASES)('the openai client gets answers, streams and models under %s', async (base) => {
    await start();
    const openai = client(base);
    const messages = [{ role: 'user' as const, content: 'Say something.' }];
    const asked = openai.chat.completions.create({ model: 'default/tiny', messages, max_tokens: 5 });
    const { data: whole, request_id: requestId } = await asked.withResponse();
    expect(whole).toMatchObject({ model: 'default/tiny', usage: { completion_tokens: 5 } });
    expect(requestId).toMatch(/^req_/);
    const stream = await openai.chat.completions.create({
      model: 'default/tiny',
      messages,
      max_tokens: 5,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const models = new Set<string>();
    for await (const event of stream) {
      text += event.choices[0]?.delta.content ?? '';
      models.add(event.model);
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect([...models]).toEqual(['default/tiny']);
    const completion = await openai.completions.create({ model: 'tiny', prompt: 'Once', max_tokens: 3 });
    expect(completion).toMatchObject({ object: 'text_completion', model: 'tiny' });
    expect((await openai.models.list()).data).toMatchObject([{ id: 'tiny', object: 'model', owned_by: 'default' }]);
    expect(await openai.models.retrieve('default/tiny')).toMatchObject({ id: 'default/tiny' });
    expect(deployment.all).toMatchObject([{ inFlight: 0, outstandingTokens: 0 }]);
  });

  test.each([{ stream: true }, { stream: false }])(
    'a client that leaves frees its seat in the engine within a second: %p',
    async ({ stream }) => {
      await start();
      const leave = new AbortController();
      const answer = post({ url: gateway?.url ?? '' }, '/v1/chat/completions', chat('tiny', { ...LONG, stream }), {
        signal: leave.signal,
      });
      answer.catch(() => {});
      await eventually(async () => expect(await running(engine)).toBe(1));
      expect(deployment.all).toMatchObject([{ inFlight: 1 }]);
      const left = performance.now();
      leave.abort();
      await eventually(async () => expect(await running(engine)).toBe(0), 5_000, 20);
      expect(performance.now() - left).toBeLessThan(1_000);
      expect(deployment.all).toMatchObject([{ inFlight: 0, outstandingTokens: 0 }]);
    },
  );

  test('what the openai client throws names the error', async () => {
    await start();
    const messages = [{ role: 'user' as const, content: 'x' }];
    const wrongKey = client('/v1', { apiKey: 'nonsense' });
    await expect(wrongKey.models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await expect(client().chat.completions.create({ model: 'other', messages })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      type: 'invalid_request_error',
      param: 'model',
    });
    await expect(
      client().chat.completions.create({ model: 'tiny', messages, max_tokens: 100_000 }),
    ).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'max_tokens' });
    await expect(client().embeddings.create({ model: 'tiny', input: 'x' })).rejects.toMatchObject({ status: 404 });
  });
});

describe('two replicas', () => {
  test('a replica killed in mid-stream costs one error event and no [DONE]', async () => {
    const engines = [await simulator(), await simulator()];
    const origins = await Promise.all(engines.map((engine) => engine.ready()));
    const deployment = new FakeDeployment('tiny', origins);
    gateway = await startGateway([deployment]);
    const stream = await readToFirstText(
      await post(gateway, '/v1/chat/completions', chat('tiny', { ...LONG, stream: true })),
    );
    const busy = deployment.all.findIndex(({ inFlight }) => inFlight === 1);
    engines[busy]?.child.kill('SIGKILL');
    const text = await stream.rest();
    const events = text.split('\n\n').filter((event) => event !== '');
    expect(events.filter((event) => event.includes('"error"'))).toHaveLength(1);
    expect(JSON.parse(events.at(-1)?.replace('data: ', '') ?? '')).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'upstream_error' },
    });
    expect(text).not.toContain('[DONE]');
    expect(deployment.all).toMatchObject([{ inFlight: 0 }, { inFlight: 0 }]);
  });

  test.each([{ stream: true }, { stream: false }])(
    'a replica killed before the first byte costs nothing: %p',
    async ({ stream }) => {
      // The prompt takes the slow engine minutes, so that no byte has come when it dies.
      const slow = await simulator({ SIM_PREFILL_TOKENS_PER_SECOND: '0.1' });
      const fast = await simulator();
      const deployment = new FakeDeployment('tiny', [await slow.ready()]);
      gateway = await startGateway([deployment]);
      const answer = post(gateway, '/v1/chat/completions', chat('tiny', { stream }));
      await eventually(async () => expect(await running(slow)).toBe(1));
      deployment.add(await fast.ready());
      slow.child.kill('SIGKILL');
      const response = await answer;
      expect(response.status).toBe(200);
      const events = await readAll(response);
      if (stream) expect(events.at(-1)).toBe('data: [DONE]');
      else expect(JSON.parse(events.join(''))).toMatchObject({ usage: { completion_tokens: 5 } });
      expect(deployment.all).toMatchObject([{ inFlight: 0 }, { inFlight: 0 }]);
      expect(await gateway.metrics.metrics()).toMatch(/infer_gateway_retries_total\{reason="reset".*\} 1/);
    },
  );

  test('a replica that drains answers 500: another one takes the request', async () => {
    const draining = await simulator({}, ['--shutdown-timeout', '30']);
    const other = await simulator();
    const deployment = new FakeDeployment('tiny', [await draining.ready()]);
    gateway = await startGateway([deployment]);
    const stream = await readToFirstText(
      await post(gateway, '/v1/chat/completions', chat('tiny', { ...LONG, stream: true })),
    );
    draining.child.kill('SIGTERM');
    const direct = (): Promise<Response> =>
      draining.ready().then((url) => post({ url }, '/v1/chat/completions', chat('tiny')));
    await eventually(async () => expect((await direct()).status).toBe(500));
    // The stream counts on the draining one; this makes it the one with less work all the same.
    deployment.add(await other.ready()).inFlight = 2;
    const response = await post(gateway, '/v1/chat/completions', chat('tiny'));
    expect(response.status).toBe(200);
    expect(await gateway.metrics.metrics()).toMatch(/infer_gateway_retries_total\{reason="draining".*\} 1/);
    await stream.cancel();
  });

  test('an answer that the engine aborted by itself is asked for again', async () => {
    const aborting = await simulator({ SIM_FAIL: 'abort:0' });
    const other = await simulator();
    const deployment = new FakeDeployment('tiny', [await aborting.ready(), await other.ready()]);
    gateway = await startGateway([deployment]);
    const response = await post(gateway, '/v1/chat/completions', chat('tiny'));
    expect(await response.json()).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    expect(await gateway.metrics.metrics()).toMatch(/infer_gateway_retries_total\{reason="aborted".*\} 1/);
  });
});
