/** Checks Files and Batch with the official openai package for Node: the same checks and settings as batches.py. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { BadRequestError, ConflictError, NotFoundError, toFile } from 'openai';
import { expectError, MODEL, newClient, runAll, setting } from './checks.ts';

type Batch = OpenAI.Batch;
interface Line {
  custom_id: string;
  method: string;
  url: string;
  body: Record<string, unknown>;
}

/** A line of an output or error file, as far as it is looked at. */
interface ResultLine {
  id: string;
  custom_id: string;
  error: unknown;
  response: {
    status_code: number;
    request_id: string;
    body: { object: string; model: string; usage: { completion_tokens: number }; error: { message: string } };
  };
}

const SLOW_TOKENS = Number(setting('SLOW_TOKENS'));
const ENDPOINT = '/v1/chat/completions';
const NOBODY = `file-${'0'.repeat(32)}`;
const FILE_FIELDS = ['bytes', 'created_at', 'expires_at', 'filename', 'id', 'object', 'purpose', 'status'];
const LIST_FIELDS = ['data', 'first_id', 'has_more', 'last_id', 'object'];
const BATCH_FIELDS = `
  cancelled_at cancelling_at completed_at completion_window created_at endpoint
  error_file_id errors expired_at expires_at failed_at finalizing_at id
  in_progress_at input_file_id metadata model object output_file_id request_counts status usage
`
  .trim()
  .split(/\s+/);

const client = newClient();
const stranger = newClient(setting('OTHER_KEY'));

function request(customId: string, body: object = {}): Line {
  const messages = [{ role: 'user', content: `Say something about ${customId}.` }];
  return {
    custom_id: customId,
    method: 'POST',
    url: ENDPOINT,
    body: { model: MODEL, messages, max_tokens: 3, ...body },
  };
}

async function upload(lines: readonly (string | object)[], name = 'requests.jsonl'): Promise<OpenAI.FileObject> {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  return await client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'batch' });
}

async function create(fileId: string, by = client): Promise<Batch> {
  return await by.batches.create({ input_file_id: fileId, endpoint: ENDPOINT, completion_window: '24h' });
}

async function wait(batch: Batch, status: Batch['status'], by = client): Promise<Batch> {
  const deadline = performance.now() + 90_000;
  let now = batch;
  while (now.status !== status) {
    assert(performance.now() < deadline, `after 90 s the batch is ${now.status}: ${JSON.stringify(now)}`);
    await delay(200);
    now = await by.batches.retrieve(batch.id);
  }
  return now;
}

async function linesOf(fileId: string | null | undefined): Promise<ResultLine[]> {
  assert(fileId, 'there is no file');
  const text = await (await client.files.content(fileId)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
}

async function idsOf(list: AsyncIterable<{ id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids;
}

function fieldsOf(object: object): string[] {
  return Object.keys(object).toSorted();
}

async function files(): Promise<void> {
  const text = JSON.stringify(request('one'));
  const file = await client.files.create({
    file: await toFile(Buffer.from(text), 'some requests.jsonl'),
    purpose: 'batch',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  assert.deepEqual(fieldsOf(file), FILE_FIELDS);
  const { object, purpose, status, filename, bytes, expires_at: expiresAt } = file;
  assert.deepEqual([object, purpose, status, filename], ['file', 'batch', 'processed', 'some requests.jsonl']);
  assert.deepEqual([bytes, expiresAt], [text.length, file.created_at + 3600]);
  assert.deepEqual(await client.files.retrieve(file.id), file);
  assert.equal(await (await client.files.content(file.id)).text(), text);
  assert((await idsOf(client.files.list({ purpose: 'batch' }))).includes(file.id), 'the file is not listed');
  assert.deepEqual(await client.files.delete(file.id), { id: file.id, object: 'file', deleted: true });
  await expectError(() => client.files.retrieve(file.id), [NotFoundError]);
  await expectError(() => client.files.content(file.id), [NotFoundError]);
  await expectError(() => client.files.delete(file.id), [NotFoundError]);
  assert(!(await idsOf(client.files.list())).includes(file.id), 'the file is still listed');
  const month = await upload([request('two')]);
  assert.equal(month.expires_at, month.created_at + 30 * 86_400);
}

async function fileErrors(): Promise<void> {
  const body = Buffer.from('{}');
  const json = await toFile(body, 'requests.json');
  await expectError(() => client.files.create({ file: json, purpose: 'batch' }), [BadRequestError]);
  await assert.rejects(
    async () => await client.files.create({ file: json, purpose: 'batch' }),
    /Invalid file format for Batch API\. Must be \.jsonl/,
  );
  const file = await toFile(body, 'a.jsonl');
  await expectError(() => client.files.create({ file, purpose: 'nothing' as 'batch' }), [BadRequestError]);
  for (const seconds of [3_599, 2_592_001]) {
    const after = { anchor: 'created_at' as const, seconds };
    await expectError(() => client.files.create({ file, purpose: 'batch', expires_after: after }), [BadRequestError]);
  }
  for (const limit of [0, 10_001]) await expectError(() => client.files.list({ limit }), [BadRequestError]);
  await expectError(() => client.files.list({ after: NOBODY }), [NotFoundError, BadRequestError]);
  await expectError(() => client.files.retrieve('no-such-file'), [NotFoundError]);
}

async function filePages(): Promise<void> {
  const made: string[] = [];
  for (let page = 0; page < 5; page += 1) made.push((await upload([request(`page-${page}`)], `page-${page}.jsonl`)).id);
  const listed = async (query: OpenAI.FileListParams): Promise<string[]> =>
    (await idsOf(client.files.list(query))).filter((id) => made.includes(id));
  assert.deepEqual(await listed({ limit: 2, order: 'asc' }), made);
  assert.deepEqual(await listed({ limit: 3 }), made.toReversed());
  const page = await client.files.list({ limit: 1 });
  assert.deepEqual([page.data[0]?.id, page.has_more], [made.at(-1), true]);
  assert.deepEqual(fieldsOf(await client.get<object>('/files', { query: { limit: 1 } })), LIST_FIELDS);
}

async function batch(): Promise<void> {
  const lines = Array.from({ length: 20 }, (_, number) => request(`request-${number}`));
  const [wrong] = lines.splice(7, 1, request('request-7', { max_tokens: -1 }));
  assert(wrong);
  const file = await upload(lines);
  const made = await client.batches.create({
    input_file_id: file.id,
    endpoint: ENDPOINT,
    completion_window: '24h',
    metadata: { project: 'sea' },
  });
  assert.deepEqual(fieldsOf(made), BATCH_FIELDS);
  assert.deepEqual([made.object, made.endpoint, made.input_file_id], ['batch', ENDPOINT, file.id]);
  assert.deepEqual([made.metadata, made.expires_at], [{ project: 'sea' }, made.created_at + 86_400]);
  const done = await wait(made, 'completed');
  assert.deepEqual(done.request_counts, { total: 20, completed: 19, failed: 1 });
  for (const at of [done.in_progress_at, done.finalizing_at, done.completed_at]) assert((at ?? 0) >= made.created_at);
  const unset = [done.failed_at, done.expired_at, done.cancelling_at, done.cancelled_at, done.errors];
  assert.deepEqual(unset, [null, null, null, null, null]);
  assert.equal(done.model, MODEL);
  const answers = await linesOf(done.output_file_id);
  const expected = lines.map(({ custom_id: id }) => id).filter((id) => id !== 'request-7');
  assert.deepEqual(answers.map(({ custom_id: id }) => id).toSorted(), expected.toSorted());
  for (const line of answers) {
    assert.deepEqual(fieldsOf(line), ['custom_id', 'error', 'id', 'response']);
    assert.match(line.id, /^batch_req_/);
    assert.deepEqual([line.error, line.response.status_code], [null, 200]);
    assert(line.response.request_id, 'request_id is empty');
    assert.deepEqual([line.response.body.object, line.response.body.model], ['chat.completion', MODEL]);
  }
  assert.equal(new Set(answers.map(({ id }) => id)).size, 19);
  const [failed, ...more] = await linesOf(done.error_file_id);
  assert.equal(more.length, 0);
  assert.deepEqual([failed?.custom_id, failed?.error], ['request-7', null]);
  assert.equal(failed?.response.status_code, 400);
  assert(failed?.response.body.error.message, 'message is empty');
  const tokens = answers.reduce((sum, line) => sum + line.response.body.usage.completion_tokens, 0);
  assert.equal(done.usage?.output_tokens, tokens);
  assert.equal((await client.files.retrieve(done.output_file_id ?? '')).purpose, 'batch_output');
}

async function allFailed(): Promise<void> {
  const file = await upload([request('one', { max_tokens: -1 }), request('two', { max_tokens: -1 })]);
  const done = await wait(await create(file.id), 'completed');
  assert.equal(done.output_file_id, null);
  assert.equal((await linesOf(done.error_file_id)).length, 2);
}

async function badInput(): Promise<void> {
  const good = request('good');
  const { custom_id: _, ...nameless } = good;
  const wrong: [code: string, param: string | null, line: string | object][] = [
    ['invalid_json_line', null, '{not json'],
    ['missing_required_parameter', null, nameless],
    ['invalid_url', null, { ...request('url'), url: '/v1/embeddings' }],
    ['mismatched_model', 'body.model', request('model', { model: 'no-such-model' })],
    ['streaming_unsupported', 'body.stream', request('stream', { stream: true })],
    ['duplicate_custom_id', null, good],
  ];
  const file = await upload([good, ...wrong.map(([, , line]) => line)]);
  const failed = await wait(await create(file.id), 'failed');
  assert.equal(failed.errors?.object, 'list');
  const { data: errors = [] } = failed.errors;
  for (const [index, [code, param]] of wrong.entries()) {
    const found = errors.find((error) => error.line === index + 2 && error.code === code);
    assert(found, `line ${index + 2} has no ${code}: ${JSON.stringify(errors)}`);
    if (param !== null) assert.equal(found.param, param);
  }
  assert((failed.failed_at ?? 0) >= failed.created_at);
  assert.deepEqual([failed.output_file_id, failed.error_file_id], [null, null]);
  const unknown = await wait(await create((await upload([request('one', { model: 'no-such-model' })])).id), 'failed');
  assert.deepEqual(
    unknown.errors?.data?.map(({ code, param, line }) => [code, param, line]),
    [['model_not_found', 'body.model', 1]],
  );
  const empty = await wait(await create((await upload([''])).id), 'failed');
  assert(empty.errors?.data?.length, 'an empty file has no error');
}

function invalidRequest({ errors }: Batch): void {
  assert.deepEqual(
    errors?.data?.map(({ code, param }) => [code, param]),
    [['invalid_request', 'file_id']],
  );
}

async function unknownInput(): Promise<void> {
  invalidRequest(await wait(await create(NOBODY), 'failed'));
}

async function batchErrors(): Promise<void> {
  const file = await upload([request('one')]);
  const asked: OpenAI.BatchCreateParams = { input_file_id: file.id, endpoint: ENDPOINT, completion_window: '24h' };
  const refused = async (change: object, code: string): Promise<void> =>
    await expectError(() => client.batches.create({ ...asked, ...change }), [BadRequestError], code);
  await refused({ endpoint: '/v1/images' }, 'invalid_value');
  await refused({ completion_window: '1h' }, 'invalid_value');
  await refused({ metadata: { a: 1 } }, 'invalid_type');
  await refused({ metadata: 'a' }, 'invalid_type');
  await expectError(() => client.batches.retrieve('batch_nobody'), [NotFoundError]);
  await expectError(() => client.batches.cancel('batch_nobody'), [NotFoundError]);
  for (const limit of [0, 101]) await expectError(() => client.batches.list({ limit }), [BadRequestError]);
  const done = await wait(await create(file.id), 'completed');
  await expectError(() => client.batches.cancel(done.id), [ConflictError]);
}

async function batchPages(): Promise<void> {
  const file = await upload([request('one')]);
  const made = [await create(file.id), await create(file.id), await create(file.id)];
  const ids = made.map(({ id }) => id).toSorted();
  const listed = (await idsOf(client.batches.list({ limit: 2 }))).filter((id) => ids.includes(id));
  assert.deepEqual(listed.toSorted(), ids);
  assert.deepEqual(fieldsOf(await client.get<object>('/batches', { query: { limit: 1 } })), LIST_FIELDS);
  for (const one of made) await wait(one, 'completed');
}

async function cancel(): Promise<void> {
  const slow = { max_tokens: SLOW_TOKENS, ignore_eos: true };
  const file = await upload(Array.from({ length: 200 }, (_, number) => request(`slow-${number}`, slow)));
  const made = await wait(await create(file.id), 'in_progress');
  const { status } = await client.batches.cancel(made.id);
  assert(['cancelling', 'cancelled'].includes(status), `status is ${status}`);
  const cancelled = await wait(made, 'cancelled');
  assert((cancelled.cancelled_at ?? 0) >= (cancelled.cancelling_at ?? Infinity));
  const { completed = 0 } = cancelled.request_counts ?? {};
  assert(completed < 200, 'every request was answered');
  const answers = cancelled.output_file_id ? await linesOf(cancelled.output_file_id) : [];
  assert.equal(answers.length, completed);
  assert.equal((await client.batches.cancel(made.id)).status, 'cancelled');
}

async function foreign(): Promise<void> {
  const file = await upload([request('one')]);
  await expectError(() => stranger.files.retrieve(file.id), [NotFoundError]);
  await expectError(() => stranger.files.content(file.id), [NotFoundError]);
  await expectError(() => stranger.files.delete(file.id), [NotFoundError]);
  assert(!(await idsOf(stranger.files.list())).includes(file.id), 'a foreign file is listed');
  await expectError(() => stranger.files.list({ after: file.id }), [NotFoundError, BadRequestError]);
  const made = await create(file.id);
  await expectError(() => stranger.batches.retrieve(made.id), [NotFoundError]);
  await expectError(() => stranger.batches.cancel(made.id), [NotFoundError]);
  await expectError(() => stranger.batches.list({ after: made.id }), [NotFoundError, BadRequestError]);
  assert(!(await idsOf(stranger.batches.list())).includes(made.id), 'a foreign batch is listed');
  invalidRequest(await wait(await create(file.id, stranger), 'failed', stranger));
  await wait(made, 'completed');
}

await runAll({
  files,
  'errors of files': fileErrors,
  'pages of files': filePages,
  'a batch': batch,
  'a batch of which every request fails': allFailed,
  'a batch whose input is wrong': badInput,
  'a batch without input': unknownInput,
  'errors of batches': batchErrors,
  'pages of batches': batchPages,
  'a batch that is cancelled': cancel,
  'what another namespace sees': foreign,
});
