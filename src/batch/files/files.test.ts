/** /v1/files but for uploads, over a folder. */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { form, NAMESPACE, startBatchApi, type RunningBatchApi } from '../../../test/support/batch-api.ts';
import { metaKey, type FileObject } from './file-object.ts';

const OTHER = 'team-b';
const HOUR_MS = 3_600_000;

const clock = { now: Date.UTC(2026, 10, 22) };
let api: RunningBatchApi;
/** From the oldest on. */
let files: FileObject[];
let foreign: FileObject;

beforeAll(async () => {
  api = await startBatchApi({ clock });
  files = [];
  // Over more than a day, since the newest are looked for first.
  for (let at = 0; at < 5; at += 1) {
    files.push(await upload(`${at}.jsonl`, '0123456789'));
    clock.now += 10 * HOUR_MS;
  }
  foreign = await upload('foreign.jsonl', 'secret', OTHER);
});

afterAll(() => api.close());

async function upload(filename: string, content: string, namespace = NAMESPACE, more: Record<string, string> = {}) {
  const body = form({ filename, content, fields: { purpose: 'batch', ...more } });
  const response = await api.call('/v1/files', { method: 'POST', body }, namespace);
  return (await response.json()) as FileObject;
}

async function answer(path: string, init?: RequestInit, namespace?: string): Promise<unknown> {
  const response = await api.call(path, init, namespace);
  return [response.status, await response.json()];
}

interface List {
  data: FileObject[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

async function list(query = '', namespace?: string): Promise<List> {
  return (await (await api.call(`/v1/files${query}`, {}, namespace)).json()) as List;
}

const names = ({ data }: List): string => data.map(({ filename }) => filename[0]).join('');
const notFound = (id: string) => [
  404,
  { error: { message: `No such File object: ${id}`, type: 'invalid_request_error', param: 'id', code: null } },
];

describe('a list', () => {
  test.each([
    ['', '43210', false],
    ['?order=desc', '43210', false],
    ['?order=asc', '01234', false],
    ['?limit=2', '43', true],
    ['?limit=5', '43210', false],
    ['?order=asc&limit=4', '0123', true],
    ['?purpose=batch', '43210', false],
    ['?purpose=batch_output', '', false],
    ['?purpose=assistants', '', false],
  ])('with %j has %j', async (query, expected, more) => {
    const page = await list(query);
    expect([names(page), page.has_more]).toEqual([expected, more]);
    expect(page).toMatchObject({
      object: 'list',
      first_id: page.data[0]?.id ?? null,
      last_id: page.data.at(-1)?.id ?? null,
    });
  });

  test.each([
    ['asc', '01234'],
    ['desc', '43210'],
  ])('goes on page by page, %s', async (order, expected) => {
    let all = '';
    for (let page = await list(`?order=${order}&limit=2`); ;) {
      all += names(page);
      if (!page.has_more) break;
      page = await list(`?order=${order}&limit=2&after=${page.last_id}`);
    }
    expect(all).toBe(expected);
  });

  test('does not go on behind what is no file of the namespace', async () => {
    for (const after of [foreign.id, `file-${'0'.repeat(32)}`, 'file-1', `../../${OTHER}/meta/${foreign.id}`]) {
      const [status] = (await answer(`/v1/files?after=${encodeURIComponent(after)}`)) as [number];
      expect(status).toBe(404);
    }
    expect((await list(`?order=asc&after=${files[4]?.id}`)).data).toEqual([]);
  });

  test.each([
    ['?limit=0', 'integer_below_min_value', 'limit'],
    ['?limit=10001', 'integer_above_max_value', 'limit'],
    ['?limit=ten', 'invalid_type', 'limit'],
    ['?limit=1&limit=2', 'invalid_value', 'limit'],
    ['?order=newest', 'invalid_value', 'order'],
  ])('with %j is refused', async (query, code, param) => {
    expect(await answer(`/v1/files${query}`)).toEqual([400, { error: expect.objectContaining({ code, param }) }]);
  });
});

test('a list leaves out what is no file object, and says so in the log', async () => {
  const namespace = 'corrupt';
  const [kept, broken] = [await upload('1.jsonl', 'a', namespace), await upload('2.jsonl', 'b', namespace)];
  const other = await startBatchApi({ clock, wrapStore: () => api.store });
  await api.store.put(metaKey(namespace, broken.id), Buffer.from('{"id":"garbage"}'));
  const page = (await (await other.call('/v1/files', {}, namespace)).json()) as List;
  expect(page.data.map(({ id }) => id)).toEqual([kept.id]);
  expect(other.log()).toContain(broken.id);
  await other.close();
});

describe('a file of another namespace is none:', () => {
  test.each([
    ['GET', ''],
    ['GET', '/content'],
    ['DELETE', ''],
  ])('%s %j', async (method, path) => {
    expect(await answer(`/v1/files/${foreign.id}${path}`, { method })).toEqual(notFound(foreign.id));
    expect(await api.files.find(OTHER, foreign.id)).toEqual(foreign);
  });

  test.each(['file-1', '..', `..%2F..%2F${OTHER}%2Fmeta%2Fx`, `file-${'0'.repeat(32)}`])('as is %j', async (id) => {
    const [status] = (await answer(`/v1/files/${id}`)) as [number];
    expect(status).toBe(404);
  });

  test('nor can a namespace be a path', async () => {
    for (const namespace of [`${OTHER}/../${NAMESPACE}`, '..', 'Team', '']) {
      expect((await api.call('/v1/files', {}, namespace)).status).toBe(400);
    }
  });
});

async function content(headers: Record<string, string> = {}): Promise<Response> {
  return await api.call(`/v1/files/${files[0]?.id}/content`, { headers });
}

describe('content', () => {
  test('comes whole, as a download', async () => {
    const response = await content();
    expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '10',
      'content-disposition': `attachment; filename="0.jsonl"; filename*=UTF-8''0.jsonl`,
      'accept-ranges': 'bytes',
    });
  });

  test('comes in part', async () => {
    const response = await content({ range: 'bytes=2-4' });
    expect([response.status, await response.text(), response.headers.get('content-range')]).toEqual([
      206,
      '234',
      'bytes 2-4/10',
    ]);
    expect(response.headers.get('content-length')).toBe('3');
  });

  test('beyond its end is 416', async () => {
    const response = await content({ range: 'bytes=10-' });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10']);
  });
});

test('a deleted file is gone at once, its content with it', async () => {
  const { id } = await upload('gone.jsonl', 'x');
  expect(await answer(`/v1/files/${id}`, { method: 'DELETE' })).toEqual([200, { id, object: 'file', deleted: true }]);
  for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`]) expect(await answer(path)).toEqual(notFound(id));
  expect(await answer(`/v1/files/${id}`, { method: 'DELETE' })).toEqual(notFound(id));
  expect((await list()).data.map((file) => file.id)).not.toContain(id);
  for await (const { key } of api.store.list('files/')) expect(key).not.toContain(id);
});

test('an expired file is gone at once, before it is removed', async () => {
  const { id, expires_at } = await upload('short.jsonl', 'x', NAMESPACE, {
    'expires_after[anchor]': 'created_at',
    'expires_after[seconds]': '3600',
  });
  const before = clock.now;
  clock.now = expires_at * 1000 - 1;
  expect(await answer(`/v1/files/${id}`)).toEqual([200, expect.objectContaining({ id })]);
  clock.now += 1;
  for (const path of ['', '/content']) expect(await answer(`/v1/files/${id}${path}`)).toEqual(notFound(id));
  expect((await list()).data.map((file) => file.id)).not.toContain(id);
  expect(await api.store.head(metaKey(NAMESPACE, id))).toBeDefined();
  clock.now = before;
});

test('what is stored of a file is what clients see', async () => {
  const stored = await api.store.get(metaKey(NAMESPACE, files[0]?.id ?? ''));
  expect(JSON.parse(await text(stored?.content ?? Readable.from([])))).toEqual(files[0]);
});
