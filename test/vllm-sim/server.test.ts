import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parseArguments } from './arguments.ts';
import { parseFailure } from './failures.ts';
import type { Model } from './model.ts';
import { createHttpServer } from './server.ts';
import { readSettings } from './settings.ts';
import { Simulator } from './simulator.ts';

interface Running {
  url: string;
  simulator: Simulator;
  server: Server;
}

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const LLAMA: Model = { architecture: 'LlamaForCausalLM', maxPositionEmbeddings: 2048, embedding: false };

async function start(
  options: { flags?: string[]; environment?: Record<string, string>; fail?: string; model?: Model } = {},
): Promise<Running> {
  const simulator = new Simulator({
    arguments: parseArguments(['--served-model-name', 'tiny', 'alias', ...(options.flags ?? [])]),
    model: options.model ?? LLAMA,
    settings: readSettings({ SIM_SPEED: '100', SIM_CONTROL: '1', VLLM_MAX_N_SEQUENCES: '64', ...options.environment }),
    ...(options.fail === undefined ? {} : { failure: parseFailure(options.fail) }),
  });
  const server = createHttpServer(simulator, () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, simulator, server };
}

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const chat = { model: 'tiny', messages: [{ role: 'user', content: 'Say something.' }], max_tokens: 5 };

interface Event {
  choices: { index: number; delta?: { role?: string; content?: string }; finish_reason: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens: number } };
  error?: { type: string };
}

async function events(response: Response): Promise<{ events: Event[]; last: string }> {
  const parts = (await response.text()).split('\n\n').filter((part) => part !== '');
  const data = parts.map((part) => part.replace(/^data: /, ''));
  return { events: data.slice(0, -1).map((text) => JSON.parse(text) as Event), last: data.at(-1) ?? '' };
}

async function gauge(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^vllm:${name}\\{[^}]*\\} (.*)$`, 'm').exec(text)?.[1]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('an adapter', () => {
  const flags = ['--enable-lora', '--lora-modules', 'tiny:sql=/loras/sql'];

  test('is listed after the models, below the first of them', async () => {
    const { url } = await start({ flags });
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: Record<string, unknown>[] };
    expect(data.map(({ id, parent }) => [id, parent])).toEqual([
      ['tiny', null],
      ['alias', null],
      ['tiny:sql', 'tiny'],
    ]);
    expect(data[2]).toMatchObject({ object: 'model', root: '/loras/sql', max_model_len: null });
  });

  test('answers under its name, and one that is not there is 404', async () => {
    const { url } = await start({ flags });
    const answers = await Promise.all(
      ['tiny', 'alias', 'tiny:sql'].map(async (model) => {
        const answer = await post(`${url}/v1/chat/completions`, { ...chat, model });
        return (await answer.json()) as { model: string; choices: { message: { content: string } }[] };
      }),
    );
    expect(answers.map(({ model }) => model)).toEqual(['tiny', 'alias', 'tiny:sql']);
    const [tiny, alias, sql] = answers.map(({ choices }) => choices[0]?.message.content);
    expect(alias).toBe(tiny);
    expect(sql).not.toBe(tiny);
    const unknown = await post(`${url}/v1/chat/completions`, { ...chat, model: 'tiny:python' });
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      {
        error: {
          message: 'The model `tiny:python` does not exist. Valid aliases: tiny, alias.',
          type: 'NotFoundError',
          param: 'model',
          code: 404,
        },
      },
    ]);
  });
});

describe('a chat completion', () => {
  test('is answered in full, the same for the same prompt', async () => {
    const { url } = await start();
    const response = await post(`${url}/v1/chat/completions`, chat);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const body = (await response.json()) as { id: string; choices: { message: { content: string } }[] };
    expect(body).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      model: 'tiny',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'length' }],
      usage: { completion_tokens: 5, prompt_tokens_details: null },
    });
    const again = (await (await post(`${url}/v1/chat/completions`, chat)).json()) as typeof body;
    expect(again.choices[0]?.message.content).toBe(body.choices[0]?.message.content);
  });

  test('streams a role, then text, then the reason, then [DONE]; the text is that of the full answer', async () => {
    const { url } = await start();
    const full = (await (await post(`${url}/v1/chat/completions`, chat)).json()) as {
      choices: { message: { content: string } }[];
    };
    const response = await post(`${url}/v1/chat/completions`, { ...chat, stream: true });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const { events: chunks, last } = await events(response);
    expect(last).toBe('[DONE]');
    expect(chunks[0]?.choices[0]).toMatchObject({ delta: { role: 'assistant', content: '' }, finish_reason: null });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta?.content).join('')).toBe(full.choices[0]?.message.content);
    expect(chunks.map((chunk) => chunk.choices[0]?.finish_reason)).toEqual([null, null, null, null, null, 'length']);
    expect(chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
  });

  test.each([
    ['stream_options asks for it', [], { stream_options: { include_usage: true } }],
    ['the server forces it', ['--enable-force-include-usage'], {}],
  ])('ends a stream with usage and no choices where %s', async (_, flags, extra) => {
    const { url } = await start({ flags });
    const { events: chunks } = await events(
      await post(`${url}/v1/chat/completions`, { ...chat, stream: true, ...extra }),
    );
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 5 } });
  });

  test.each([
    ['that is asked for', [], { stream_options: { include_usage: true, continuous_usage_stats: true } }],
    ['the server forces usage', ['--enable-force-include-usage'], {}],
  ])('tells in each event what its own choice has had where %s', async (_, flags, extra) => {
    const { url } = await start({ flags });
    const { events: chunks } = await events(
      await post(`${url}/v1/chat/completions`, { ...chat, max_tokens: 2, n: 2, stream: true, ...extra }),
    );
    const roles = chunks.map(({ choices }) => choices[0]?.delta?.role);
    expect(roles.slice(0, 3)).toEqual(['assistant', 'assistant', undefined]);
    // A field that is null was set: vLLM leaves out what was not.
    expect(chunks[0]?.usage).toEqual({
      prompt_tokens: expect.any(Number),
      total_tokens: chunks[0]?.usage?.prompt_tokens,
      completion_tokens: 0,
      completion_tokens_details: null,
    });
    expect(chunks.at(-1)?.usage).not.toHaveProperty('prompt_tokens_details');
    const told = (index: number) =>
      chunks.filter(({ choices }) => choices[0]?.index === index).map(({ usage }) => usage?.completion_tokens);
    expect([told(0), told(1)]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 4 } });
    const prompts = new Set(chunks.map(({ usage }) => usage?.prompt_tokens));
    expect(prompts.size).toBe(1);
  });

  test('tells cached tokens where the server is asked to', async () => {
    const { url } = await start({ flags: ['--enable-prompt-tokens-details'] });
    const long = { ...chat, messages: [{ role: 'user', content: 'word '.repeat(100) }] };
    const cached = async () => {
      const body = (await (await post(`${url}/v1/chat/completions`, long)).json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } };
      };
      return body.usage.prompt_tokens_details.cached_tokens;
    };
    expect(await cached()).toBe(0);
    expect(await cached()).toBe(96);
  });

  test('tells cached tokens of one prompt, whichever has how many choices', async () => {
    const { url } = await start({ flags: ['--enable-prompt-tokens-details'] });
    const prompt = ['word '.repeat(100), 'short'];
    const ask = async (extra: object): Promise<Response> =>
      await post(`${url}/v1/completions`, {
        model: 'tiny',
        prompt,
        max_tokens: 2,
        n: 2,
        ...extra,
      });
    await (await ask({})).text();
    expect(await (await ask({})).json()).toMatchObject({ usage: { prompt_tokens_details: { cached_tokens: 0 } } });
    const { events: chunks } = await events(await ask({ stream: true, stream_options: { include_usage: true } }));
    expect(chunks.at(-1)?.usage?.prompt_tokens_details).toEqual({ cached_tokens: 96 });
  });

  test('gives n choices, and stops at a stop string', async () => {
    const { url } = await start();
    const first = (await (await post(`${url}/v1/chat/completions`, { ...chat, n: 3 })).json()) as {
      choices: { index: number; message: { content: string } }[];
    };
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const [, word = ''] = first.choices[0]?.message.content.split(' ') ?? [];
    const stopped = (await (await post(`${url}/v1/chat/completions`, { ...chat, stop: [` ${word}`] })).json()) as {
      choices: { message: { content: string }; finish_reason: string; stop_reason: string }[];
    };
    expect(stopped.choices[0]).toMatchObject({
      message: { content: first.choices[0]?.message.content.split(' ')[0] },
      finish_reason: 'stop',
      stop_reason: ` ${word}`,
    });
  });

  test('carries the load of the engine for who asks', async () => {
    const { url } = await start();
    const plain = await post(`${url}/v1/chat/completions`, chat);
    expect(plain.headers.get('endpoint-load-metrics')).toBeNull();
    const asked = await post(`${url}/v1/chat/completions`, chat, { 'endpoint-load-metrics-format': 'json' });
    expect(asked.headers.get('endpoint-load-metrics')).toBe(
      'JSON {"named_metrics": {"num_requests_waiting": 0.0, "kv_cache_usage_perc": 0.0}}',
    );
  });

  test('is aborted when its client goes away', async () => {
    const { url } = await start({ environment: { SIM_SPEED: '1' } });
    const client = new AbortController();
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...chat, stream: true, max_tokens: 2000, ignore_eos: true }),
      signal: client.signal,
    });
    await response.body?.getReader().read();
    expect(await gauge(url, 'num_requests_running')).toBe(1);
    client.abort();
    await until(async () => (await gauge(url, 'num_requests_running')) === 0);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('vllm:request_success_total{engine="0",finished_reason="abort",model_name="tiny"} 1.0');
  });
});

describe('errors', () => {
  test.each([
    ['an unknown model', 404, 'NotFoundError', 'model', { ...chat, model: 'other' }],
    ['bad JSON', 400, 'Bad Request', null, '{"model":'],
    ['no messages', 400, 'Bad Request', 'body.messages', { model: 'tiny' }],
    ['a message without a role', 400, 'Bad Request', 'body.messages.0.role', { ...chat, messages: [{}] }],
    ['max_tokens over the context', 400, 'BadRequestError', 'max_tokens', { ...chat, max_tokens: 4000 }],
    [
      'a prompt over the context',
      400,
      'BadRequestError',
      'input_tokens',
      { ...chat, messages: [{ role: 'user', content: 'word '.repeat(3000) }] },
    ],
    ['tools without a parser', 400, 'BadRequestError', null, { ...chat, tools: [{ type: 'function' }] }],
    ['more choices than allowed', 400, 'BadRequestError', 'n', { ...chat, n: 65 }],
    ['an image', 400, 'BadRequestError', 'messages', { ...chat, messages: [{ role: 'user', content: [{}] }] }],
  ])('%s', async (_, status, type, param, body) => {
    const { url } = await start();
    const response = await post(`${url}/v1/chat/completions`, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: { message: expect.any(String), type, param, code: status } });
  });

  test('no route is no OpenAI error', async () => {
    const { url } = await start();
    const response = await post(`${url}/v1/embeddings`, { model: 'tiny', input: 'x' });
    expect([response.status, await response.json()]).toEqual([404, { detail: 'Not Found' }]);
    expect((await fetch(`${url}/v1/chat/completions`)).status).toBe(405);
  });

  test('a full queue is 503 and counted', async () => {
    const { url } = await start({ flags: ['--max-num-queued-reqs', '2'] });
    const response = await post(`${url}/v1/chat/completions`, { ...chat, n: 3 });
    expect(response.status).toBe(503);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('vllm:admission_rejections_total{model_name="tiny",reason="max_num_queued_reqs"} 1.0');
  });
});

describe('other routes', () => {
  test('completions take strings and token ids', async () => {
    const { url } = await start();
    const response = await post(`${url}/v1/completions`, { model: 'alias', prompt: ['one', 'two'], max_tokens: 2 });
    expect(await response.json()).toMatchObject({
      object: 'text_completion',
      model: 'alias',
      choices: [{ index: 0 }, { index: 1 }],
      usage: { completion_tokens: 4 },
    });
    const ids = await post(`${url}/v1/completions`, { model: 'tiny', prompt: [1, 2, 3] });
    expect(await ids.json()).toMatchObject({ usage: { completion_tokens: 16 } });
  });

  test('models, version, load, health, tokenize, detokenize', async () => {
    const { url } = await start();
    const get = async (path: string) => (await fetch(url + path)).json();
    expect(await get('/v1/models')).toMatchObject({
      data: [
        { id: 'tiny', max_model_len: 2048 },
        { id: 'alias', max_model_len: 2048 },
      ],
    });
    expect(await get('/version')).toEqual({ version: '0.32.0' });
    expect(await get('/load')).toEqual({ server_load: 0 });
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.text()]).toEqual([200, '']);
    const tokens = (await (await post(`${url}/tokenize`, { model: 'tiny', prompt: 'two words' })).json()) as {
      count: number;
      tokens: number[];
    };
    expect(tokens).toMatchObject({ count: 3, max_model_len: 2048 });
    const text = await (await post(`${url}/detokenize`, { model: 'tiny', tokens: tokens.tokens })).json();
    expect(text).toEqual({ prompt: expect.any(String) });
  });

  test('an embedding model serves embeddings of length one, and no chat', async () => {
    const { url } = await start({ model: { ...LLAMA, architecture: 'BertModel', embedding: true } });
    const response = await post(`${url}/v1/embeddings`, { model: 'tiny', input: ['a', 'b'] });
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    expect(data.map(({ embedding }) => Math.hypot(...embedding))).toEqual([expect.closeTo(1), expect.closeTo(1)]);
    expect((await post(`${url}/v1/chat/completions`, chat)).status).toBe(404);
  });

  test('an idle connection is closed after five seconds', async () => {
    const { server } = await start();
    expect([server.keepAliveTimeout, server.keepAliveTimeoutBuffer]).toEqual([5_000, 0]);
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*server: uvicorn/);
    socket.destroy();
  });
});

describe('drain', () => {
  test('new requests fail while health stays and a stream goes on', async () => {
    const { url, simulator } = await start({ environment: { SIM_SPEED: '1' } });
    // Longer than the requests meanwhile can take.
    const request = { ...chat, stream: true, max_tokens: 2000, ignore_eos: true };
    const streaming = await post(`${url}/v1/chat/completions`, request);
    simulator.draining = true;
    const refused = await post(`${url}/v1/chat/completions`, chat);
    expect(refused.status).toBe(500);
    expect(await refused.json()).toMatchObject({ error: { message: 'cannot schedule new futures after shutdown' } });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    simulator.abortAll();
    const { events: chunks, last } = await events(streaming);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('abort');
    expect(last).toBe('[DONE]');
  });

  test('whenIdle waits for what runs', async () => {
    const { url, simulator } = await start({ environment: { SIM_SPEED: '1' } });
    const streaming = await post(`${url}/v1/chat/completions`, { ...chat, stream: true, max_tokens: 100 });
    let idle = false;
    simulator.whenIdle(() => {
      idle = true;
    });
    expect(idle).toBe(false);
    await streaming.text();
    expect(idle).toBe(true);
  });
});

describe('injected failures', () => {
  test('abort after a request ends the next with finish_reason abort', async () => {
    const { url } = await start({ fail: 'abort:1', environment: { SIM_SPEED: '1' } });
    const reason = async () => {
      const body = await (await post(`${url}/v1/chat/completions`, chat)).json();
      return (body as { choices: { finish_reason: string }[] }).choices[0]?.finish_reason;
    };
    expect([await reason(), await reason()]).toEqual(['length', 'abort']);
  });

  test('a hung engine answers health and nothing else, until it is set free', async () => {
    const { url } = await start();
    expect((await post(`${url}/sim/fail`, { fail: 'hang' })).status).toBe(200);
    const answer = post(`${url}/v1/chat/completions`, chat);
    await until(async () => (await gauge(url, 'num_requests_waiting')) === 1);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await post(`${url}/sim/fail`, { fail: null });
    expect((await answer).status).toBe(200);
  });

  test('a dead engine answers EngineDeadError, on streams as an event, and is not healthy', async () => {
    const { url, simulator } = await start({ environment: { SIM_SPEED: '1' } });
    let fatal: string | undefined;
    simulator.onFatal = (mode) => {
      fatal = mode;
      simulator.die();
    };
    const streaming = await post(`${url}/v1/chat/completions`, { ...chat, stream: true, max_tokens: 500 });
    await post(`${url}/sim/fail`, { fail: 'gpu-oom' });
    const { events: chunks } = await events(streaming);
    expect(fatal).toBe('gpu-oom');
    expect(chunks.at(-1)?.error?.type).toBe('EngineDeadError');
    expect((await post(`${url}/v1/chat/completions`, chat)).status).toBe(500);
    expect((await fetch(`${url}/health`)).status).toBe(503);
  });

  test('an unknown failure is refused with the list of known ones; without SIM_CONTROL there is no such route', async () => {
    const { url } = await start();
    const response = await post(`${url}/sim/fail`, { fail: 'explode' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('gpu-oom');
    const closed = await start({ environment: { SIM_CONTROL: '0' } });
    expect((await post(`${closed.url}/sim/fail`, { fail: 'hang' })).status).toBe(404);
  });
});

test('a body that ends early does no harm', async () => {
  const { url } = await start();
  const request = httpRequest(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 100 },
  });
  request.on('error', () => {});
  request.write('{"model"');
  await once(request, 'socket');
  request.destroy();
  expect((await post(`${url}/v1/chat/completions`, chat)).status).toBe(200);
});
