/** /v1/batches, over batches in memory. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NAMESPACE, startBatchApi, type RunningBatchApi } from '../../../test/support/batch-api.ts';
import type { InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { ApiError, ConnectionError } from '../../kube/errors.ts';
import { errorsKey } from '../worker/keys.ts';

const OTHER = 'team-b';
const INPUT = `file-${'1'.repeat(32)}`;
const good = { input_file_id: INPUT, endpoint: '/v1/chat/completions', completion_window: '24h' };

let api: RunningBatchApi;

beforeEach(async () => {
  api = await startBatchApi({ limits: { maxUnfinished: 3 } });
});

afterEach(() => api.close());

interface Batch {
  id: string;
  status: string;
  errors: { data: { line: number }[] } | null;
}

async function post(path: string, body?: unknown): Promise<Response> {
  return await api.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

async function create(more: object = {}): Promise<Batch> {
  return (await (await post('/v1/batches', { ...good, ...more })).json()) as Batch;
}

async function answer(response: Response | Promise<Response>): Promise<unknown> {
  const { status, json } = { status: (await response).status, json: await (await response).json() };
  return [status, json];
}

function inState(reason: string, more: InferenceBatchStatus = {}): InferenceBatchStatus {
  const lastTransitionTime = '2026-11-22T10:00:00Z';
  return { conditions: [{ type: 'Complete', status: 'False', reason, message: '', lastTransitionTime }], ...more };
}

const notFound = (id: string) => [
  404,
  { error: { message: `No batch found with id '${id}'.`, type: 'invalid_request_error', param: null, code: null } },
];

describe('a new batch', () => {
  test('is a resource on behalf of the key, and is found at once', async () => {
    const batch = await create({ metadata: { a: 'b' }, output_expires_after: { anchor: 'created_at', seconds: 7200 } });
    expect(batch).toMatchObject({ id: expect.stringMatching(/^batch_[0-9a-f]{32}$/), status: 'validating' });
    const name = batch.id.replace('batch_', '');
    expect(api.batches.get({ namespace: NAMESPACE, name })?.spec).toEqual({
      inputFileId: INPUT,
      endpoint: '/v1/chat/completions',
      completionWindow: '24h',
      apiKey: 'web',
      metadata: { a: 'b' },
      outputExpiresAfterSeconds: 7200,
    });
    expect(await answer(api.call(`/v1/batches/${batch.id}`))).toEqual([200, batch]);
  });

  test.each([
    ['{', 400, 'invalid_json'],
    ['', 400, 'invalid_type'],
    [{ ...good, endpoint: '/v1/x' }, 400, 'invalid_value'],
    [{ ...good, metadata: { a: 'x'.repeat(300_000) } }, 413, 'request_too_large'],
  ])('of %j is refused', async (body, status, code) => {
    expect(await answer(post('/v1/batches', body))).toEqual([status, { error: expect.objectContaining({ code }) }]);
    expect(api.batches.stored.size).toBe(0);
  });

  test('needs JSON', async () => {
    const response = await api.call('/v1/batches', { method: 'POST', body: 'x' });
    expect(response.status).toBe(415);
  });

  test('is one of so many that have not ended', async () => {
    for (let made = 0; made < 3; made += 1) await create();
    api.batches.add('foreign', {}, OTHER);
    const response = await post('/v1/batches', good);
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([429, 'false']);
    expect(await response.json()).toMatchObject({ error: { code: 'too_many_batches', type: 'rate_limit_error' } });
    const [first] = [...api.batches.stored.values()];
    api.batches.add(first?.metadata.name ?? '', { status: inState('Completed') });
    expect((await post('/v1/batches', good)).status).toBe(200);
  });

  test.each([
    [new ConnectionError('refused'), 503, 'kubernetes_unavailable'],
    [new ApiError('etcd is slow', { status: 500 }), 503, 'kubernetes_unavailable'],
    [
      new ApiError('exceeded quota: batches, requested: count/inferencebatches.infer.dev=1', { status: 403 }),
      429,
      'too_many_batches',
    ],
    [new ApiError('forbidden', { status: 403 }), 500, 'internal_error'],
  ])('that Kubernetes does not take (%s) is answered %i', async (failure, status, code) => {
    api.batches.failure = failure;
    expect(await answer(post('/v1/batches', good))).toEqual([status, { error: expect.objectContaining({ code }) }]);
  });
});

describe('a list', () => {
  interface List {
    data: Batch[];
    last_id: string;
    has_more: boolean;
  }
  const list = async (query = ''): Promise<List> => (await (await api.call(`/v1/batches${query}`)).json()) as List;

  test('is of the namespace, newest first, page by page', async () => {
    api.batches.add('foreign', {}, OTHER);
    const made: string[] = [];
    for (let at = 0; at < 3; at += 1) made.unshift((await create()).id);
    expect(await list()).toMatchObject({
      object: 'list',
      data: made.map((id) => ({ id })),
      first_id: made[0],
      last_id: made[2],
      has_more: false,
    });
    const first = await list('?limit=2');
    expect([first.data.map(({ id }) => id), first.has_more]).toEqual([made.slice(0, 2), true]);
    const second = await list(`?limit=2&after=${first.last_id}`);
    expect([second.data.map(({ id }) => id), second.has_more]).toEqual([made.slice(2), false]);
  });

  test('of none', async () => {
    expect(await list()).toEqual({ object: 'list', data: [], first_id: null, last_id: null, has_more: false });
  });

  test.each([
    ['?limit=0', 400],
    ['?limit=101', 400],
    ['?limit=x', 400],
    ['?after=batch_foreign', 404],
    ['?after=nightly', 404],
    ['?after=batch_..%2F..', 404],
  ])('with %j is %i', async (query, status) => {
    api.batches.add('foreign', {}, OTHER);
    expect((await api.call(`/v1/batches${query}`)).status).toBe(status);
  });
});

test('a batch made by kubectl is known by its name', async () => {
  api.batches.add('nightly-labels');
  expect(await answer(api.call('/v1/batches/batch_nightly-labels'))).toEqual([
    200,
    expect.objectContaining({ id: 'batch_nightly-labels' }),
  ]);
});

describe('a batch of another namespace is none:', () => {
  test.each([
    ['GET', ''],
    ['POST', '/cancel'],
  ])('%s %j', async (method, path) => {
    api.batches.add('foreign', {}, OTHER);
    for (const id of ['batch_foreign', 'foreign', 'batch_', 'batch_A', `batch_${'a'.repeat(49)}`]) {
      expect(await answer(api.call(`/v1/batches/${id}${path}`, { method }))).toEqual(notFound(id));
    }
    expect(api.batches.get({ namespace: OTHER, name: 'foreign' })?.spec.cancel).toBeUndefined();
  });
});

describe('to cancel', () => {
  test.each(['Validating', 'InProgress'])('a batch that is %s begins at once', async (reason) => {
    api.batches.add('mine', { status: inState(reason) });
    // OpenAI's clients name the type of a body that they do not send.
    const answered = await answer(post('/v1/batches/batch_mine/cancel'));
    expect(answered).toEqual([200, expect.objectContaining({ id: 'batch_mine', status: 'cancelling' })]);
    expect(api.batches.get({ namespace: NAMESPACE, name: 'mine' })?.spec.cancel).toBe(true);
    expect(await answer(post('/v1/batches/batch_mine/cancel'))).toEqual(answered);
  });

  test.each(['Cancelling', 'Cancelled', 'Finalizing'])('a batch that is %s is fine', async (reason) => {
    api.batches.add('mine', { status: inState(reason) });
    expect(await answer(post('/v1/batches/batch_mine/cancel'))).toMatchObject([200, { status: reason.toLowerCase() }]);
  });

  test.each(['Completed', 'Failed', 'Expired'])('a batch that is %s is too late', async (reason) => {
    api.batches.add('mine', { status: inState(reason) });
    const response = await post('/v1/batches/batch_mine/cancel');
    const message = `Cannot cancel a batch with status '${reason.toLowerCase()}'.`;
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await answer(response)).toEqual([
      409,
      { error: { message, type: 'invalid_request_error', param: null, code: null } },
    ]);
    expect(api.batches.get({ namespace: NAMESPACE, name: 'mine' })?.spec.cancel).toBeUndefined();
  });
});

test('a failed batch shows the errors that the resource has no room for', async () => {
  const first = [{ code: 'invalid_url', message: 'No.', line: 1 }];
  const mine = api.batches.add('mine', { status: inState('Failed', { errors: first, errorCount: 3 }) });
  const errors = async () =>
    ((await (await api.call('/v1/batches/batch_mine')).json()) as Batch).errors?.data.map(({ line }) => line);
  expect(await errors()).toEqual([1]);
  const lines = [1, 2, 3].map((line) => `${JSON.stringify({ ...first[0], line })}\n`);
  await api.store.put(errorsKey(mine), Buffer.from(lines.join('')));
  expect(await errors()).toEqual([1, 2, 3]);
});

test('of many errors the first 256 KiB are shown', async () => {
  const mine = api.batches.add('mine', { status: inState('Failed', { errorCount: 50_000 }) });
  const line = `${JSON.stringify({ code: 'invalid_url', message: 'x'.repeat(200), line: 1 })}\n`;
  await api.store.put(errorsKey(mine), Buffer.from(line.repeat(50_000)));
  const { errors } = (await (await api.call('/v1/batches/batch_mine')).json()) as Batch;
  expect(errors?.data).toHaveLength(Math.floor((256 * 1024) / line.length));
});

test.each([
  ['GET', '/v1/batch'],
  ['GET', '/v1/files/a/b'],
  ['PUT', '/v1/batches'],
  ['HEAD', '/v1/files'],
  ['GET', '/%ff'],
])('there is no %s %s', async (method, path) => {
  expect((await api.call(path, { method })).status).toBe(404);
});

test('every answer has the request id that the gateway gave', async () => {
  for (const path of ['/v1/files', '/v1/batches/none', '/none']) {
    const response = await api.call(path, { headers: { 'x-request-id': 'req_1' } });
    expect(response.headers.get('x-request-id')).toBe('req_1');
  }
  expect(await api.metrics.metrics()).toMatch(/requests_total\{method="GET",route="\/v1\/batches\/:id",code="404"\} 1/);
});
