/**
 * Checks an endpoint with the official openai package for Node: the same checks, settings and output as client.py,
 * which says what they are.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { expectError, KEY, MODEL, newClient, runAll } from './checks.ts';

const NAMESPACE = process.env['INFER_NAMESPACE'];
const ALIAS = process.env['MODEL_ALIAS'];
const ADAPTER = process.env['MODEL_ADAPTER'];
const ENGINE_METRICS = process.env['INFER_ENGINE_METRICS'];
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Say something about the sea.' }];
/** Of vLLM: the answer has as many tokens as are asked for, and the likeliest: a random one of a byte may be no text yet. */
const EXACTLY = { ignore_eos: true, temperature: 0 };

const client = newClient();

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

async function modelsList(): Promise<void> {
  const { data } = await client.models.list();
  assert(
    data.some(({ id }) => id === MODEL),
    `${MODEL} is not among ${JSON.stringify(data)}`,
  );
  for (const model of data) {
    assert.equal(model.object, 'model');
    assert(Number.isInteger(model.created) && model.created > 1_600_000_000, `created is ${model.created}`);
    assert(model.owned_by);
  }
}

async function modelsRetrieve(): Promise<void> {
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
}

async function chat(model: string): Promise<void> {
  const request = { model, messages, max_tokens: 7, ...EXACTLY };
  const { data, request_id: requestId } = await client.chat.completions.create(request).withResponse();
  assert(requestId, 'x-request-id is missing');
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.model, model);
  assert.equal(data.choices[0]?.finish_reason, 'length');
  assert(data.choices[0].message.content, 'content is empty');
  assert.equal(data.usage?.completion_tokens, 7);
}

async function chatByOtherName(model: string, parent?: string): Promise<void> {
  const { data } = await client.models.list();
  const listed: { id: string; parent?: string } | undefined = data.find(({ id }) => id === model);
  assert(listed, `${model} is not among ${JSON.stringify(data)}`);
  assert.equal(listed.parent, parent);
  assert.equal((await client.models.retrieve(model)).id, model);
  await chat(model);
}

async function chatStream(usage: boolean): Promise<void> {
  const stream = await client.chat.completions.create({
    model: MODEL,
    messages,
    max_tokens: 7,
    stream: true,
    ...EXACTLY,
    ...(usage && { stream_options: { include_usage: true } }),
  });
  const chunks = await collect(stream);
  assert.deepEqual([...new Set(chunks.map(({ model }) => model))], [MODEL]);
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  const withChoices = chunks.filter(({ choices }) => choices.length > 0);
  assert.equal(withChoices[0]?.choices[0]?.delta.role, 'assistant');
  assert(withChoices.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), 'content is empty');
  assert.equal(withChoices.at(-1)?.choices[0]?.finish_reason, 'length');
  const withUsage = chunks.filter((chunk) => chunk.usage !== undefined && chunk.usage !== null);
  if (!usage) {
    assert.deepEqual(withUsage, []);
    assert.equal(withChoices.length, chunks.length);
    return;
  }
  const last = chunks.at(-1);
  assert.deepEqual(withUsage, [last]);
  assert.deepEqual(last?.choices, []);
  assert.equal(last.usage?.completion_tokens, 7);
}

async function completion(): Promise<void> {
  const answer = await client.completions.create({ model: MODEL, prompt: 'The sea', max_tokens: 5, ...EXACTLY });
  assert.equal(answer.object, 'text_completion');
  assert.equal(answer.model, MODEL);
  assert(answer.choices[0]?.text, 'text is empty');
  assert.equal(answer.usage?.completion_tokens, 5);
}

async function completionStream(): Promise<void> {
  const request = { model: MODEL, prompt: 'The sea', max_tokens: 5, stream: true as const, ...EXACTLY };
  const chunks = await collect(await client.completions.create(request));
  assert.deepEqual([...new Set(chunks.map(({ model }) => model))], [MODEL]);
  assert(chunks.map(({ choices }) => choices[0]?.text ?? '').join(''), 'text is empty');
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length');
}

async function embeddingsOfChatModel(): Promise<void> {
  const request = { model: MODEL, input: 'The sea' };
  await expectError(() => client.embeddings.create(request), [NotFoundError, BadRequestError]);
}

async function wrongKey(): Promise<void> {
  const altered = KEY.slice(0, -1) + (KEY.endsWith('a') ? 'b' : 'a');
  for (const key of [altered, 'sk-something-else']) {
    const stranger = newClient(key);
    await expectError(() => stranger.models.list(), [AuthenticationError], 'invalid_api_key');
    const call = (): PromiseLike<unknown> => stranger.chat.completions.create({ model: MODEL, messages });
    await expectError(call, [AuthenticationError], 'invalid_api_key');
  }
}

async function unknownModel(): Promise<void> {
  const { completions } = client.chat;
  const calls = [
    () => completions.create({ model: 'no-such-model', messages }),
    () => completions.create({ model: 'no-such-namespace/no-such-model', messages }),
    () => completions.create({ model: 'no-such-model', messages, stream: true }),
    () => client.models.retrieve('no-such-model'),
  ];
  for (const call of calls) await expectError(call, [NotFoundError], 'model_not_found');
}

async function badRequest(): Promise<void> {
  const bad: Record<string, unknown>[] = [
    { messages: 'hello' },
    { messages, max_tokens: -1 },
    { messages, max_tokens: 10_000_000 },
    { messages, max_tokens: 'many' },
  ];
  for (const fields of bad) {
    const body = { model: MODEL, ...fields } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
    await expectError(() => client.chat.completions.create(body), [BadRequestError]);
  }
}

async function expectRunning(metrics: string, count: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const text = await (await fetch(metrics)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('vllm:num_requests_running'));
    const now = lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    if (now === count) return;
    assert(performance.now() < deadline, `${now} requests run at the engine after ${timeoutMs} ms, not ${count}`);
    await delay(20);
  }
}

async function abortedStream(): Promise<void> {
  const request = { model: MODEL, messages, max_tokens: 1500, stream: true as const, ...EXACTLY };
  const stream = await client.chat.completions.create(request);
  let chunks = 0;
  for await (const _ of stream) {
    chunks += 1;
    if (chunks < 3) continue;
    if (ENGINE_METRICS !== undefined) await expectRunning(ENGINE_METRICS, 1, 5000);
    break; // aborts the request
  }
  assert.equal(stream.controller.signal.aborted, true);
  if (ENGINE_METRICS !== undefined) await expectRunning(ENGINE_METRICS, 0, 5000);
  await chat(MODEL);
}

const CHECKS: Record<string, () => Promise<void>> = {
  'models.list': modelsList,
  'models.retrieve': modelsRetrieve,
  chat: async () => await chat(MODEL),
  ...(NAMESPACE !== undefined && {
    "chat with the namespace in the model's name": async () => await chat(`${NAMESPACE}/${MODEL}`),
  }),
  ...(ALIAS !== undefined && { 'chat with an alias': async () => await chatByOtherName(ALIAS) }),
  ...(ADAPTER !== undefined && {
    'chat with an adapter': async () => await chatByOtherName(`${MODEL}:${ADAPTER}`, MODEL),
  }),
  'chat stream': async () => await chatStream(false),
  'chat stream with usage': async () => await chatStream(true),
  completion,
  'completion stream': completionStream,
  'embeddings of a chat model': embeddingsOfChatModel,
  'wrong key': wrongKey,
  'unknown model': unknownModel,
  'bad request': badRequest,
  'aborted stream': abortedStream,
};

await runAll(CHECKS);
