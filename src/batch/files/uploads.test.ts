/** POST /v1/files, over a folder. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { form, startBatchApi, tenantHeaders, type RunningBatchApi } from '../../../test/support/batch-api.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { StoreFull, StoreUnavailable, type ObjectStore } from '../../store/object-store.ts';
import type { FileObject } from './file-object.ts';

const MAX_BYTES = 100_000;
const STALL_MS = 300;

let api: RunningBatchApi;
/** What the store throws at the next write. */
let failure: Error | undefined;

beforeAll(async () => {
  api = await startBatchApi({
    limits: { maxBytes: MAX_BYTES, stallMs: STALL_MS },
    wrapStore: (store) => ({
      get: (...given) => store.get(...given),
      head: (...given) => store.head(...given),
      list: (...given) => store.list(...given),
      delete: (...given) => store.delete(...given),
      put: async (...given: Parameters<ObjectStore['put']>) => {
        if (failure !== undefined) throw failure;
        return await store.put(...given);
      },
    }),
  });
});

afterAll(() => api.close());

async function upload(body: FormData, namespace?: string): Promise<Response> {
  return await api.call('/v1/files', { method: 'POST', body }, namespace);
}

/** The status, and of the error what programs look at. */
async function refusal(body: FormData): Promise<unknown> {
  const response = await upload(body);
  const { error } = (await response.json()) as { error: { code: string | null; param: string | null } };
  return [response.status, error.code, error.param];
}

/** All keys of the store. */
async function stored(): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of api.store.list('files/')) keys.push(key);
  return keys;
}

/** Begins an upload by hand; `declared` is its length, of which the form's `sent` part is sent. */
async function begin(sent: string, declared: number, { url } = api): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  const headers = { ...tenantHeaders(), 'content-type': 'multipart/form-data; boundary=B', 'content-length': declared };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/files HTTP/1.1\r\nhost: a\r\n${head.join('')}\r\n${sent}`);
  return socket;
}

const PART = '--B\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{"a":1}\n';

describe('an upload', () => {
  test.each([
    ['with its fields first', false],
    ['with its file first', true],
  ])('%s becomes a file', async (_, fileFirst) => {
    const response = await upload(form({ fileFirst, filename: 'dir/größe.jsonl', content: '{"a":1}\n' }));
    const file = (await response.json()) as FileObject;
    expect([response.status, file]).toEqual([
      200,
      {
        id: expect.stringMatching(/^file-[0-9a-f]{32}$/),
        object: 'file',
        bytes: 8,
        created_at: expect.closeTo(Date.now() / 1000, -1),
        expires_at: file.created_at + 30 * 86_400,
        filename: 'größe.jsonl',
        purpose: 'batch',
        status: 'processed',
      },
    ]);
    expect(await (await api.call(`/v1/files/${file.id}/content`)).text()).toBe('{"a":1}\n');
  });

  test('expires when the client says', async () => {
    const fields = { purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '3600' };
    const file = (await (await upload(form({ fields, fileFirst: true }))).json()) as FileObject;
    expect(file.expires_at - file.created_at).toBe(3600);
  });

  test('may be a line break, and as large as allowed', async () => {
    for (const content of ['\n', 'x'.repeat(MAX_BYTES)]) {
      const file = (await (await upload(form({ content }))).json()) as FileObject;
      expect(file.bytes).toBe(content.length);
    }
  });
});

const expiry = (anchor: string, seconds: string) => ({
  purpose: 'batch',
  'expires_after[anchor]': anchor,
  'expires_after[seconds]': seconds,
});
const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`field-${at}`, 'x']));

describe('what is refused leaves nothing:', () => {
  test.each<[string, Parameters<typeof form>[0], unknown[]]>([
    ['no purpose', { fields: {} }, [400, 'missing_required_parameter', 'purpose']],
    ['a purpose of OpenAI alone', { fields: { purpose: 'assistants' } }, [400, 'invalid_value', 'purpose']],
    ['the purpose of results', { fields: { purpose: 'batch_output' } }, [400, 'invalid_value', 'purpose']],
    ['another ending', { filename: 'a.json' }, [400, null, null]],
    [
      'an expiry too soon',
      { fields: expiry('created_at', '3599') },
      [400, 'integer_below_min_value', 'expires_after[seconds]'],
    ],
    [
      'an expiry too late',
      { fields: expiry('created_at', '2592001') },
      [400, 'integer_above_max_value', 'expires_after[seconds]'],
    ],
    ['an expiry in words', { fields: expiry('created_at', 'soon') }, [400, 'invalid_type', 'expires_after[seconds]']],
    ['another anchor', { fields: expiry('last_used_at', '3600') }, [400, 'invalid_value', 'expires_after[anchor]']],
    [
      'half an expiry',
      { fields: { purpose: 'batch', 'expires_after[seconds]': '3600' } },
      [400, 'missing_required_parameter', 'expires_after[anchor]'],
    ],
    ['no byte', { content: '' }, [400, 'empty_file', 'file']],
    ['more than the bytes allowed', { content: 'x'.repeat(MAX_BYTES + 1) }, [413, 'file_too_large', 'file']],
    [
      'more bytes than any form of such a file',
      { content: 'x'.repeat(MAX_BYTES + 70_000) },
      [413, 'file_too_large', 'file'],
    ],
    ['many fields', { fields: many }, [400, 'invalid_multipart_form_data', null]],
    ['a long field', { fields: { purpose: 'x'.repeat(2000) } }, [400, 'invalid_multipart_form_data', null]],
  ])('%s', async (_, options, expected) => {
    const before = await stored();
    for (const fileFirst of [false, true]) expect(await refusal(form({ ...options, fileFirst }))).toEqual(expected);
    expect(await stored()).toEqual(before);
  });

  test('no file', async () => {
    const body = new FormData();
    body.append('purpose', 'batch');
    expect(await refusal(body)).toEqual([400, 'missing_required_parameter', 'file']);
  });

  test('a second file', async () => {
    const before = await stored();
    const body = form();
    body.append('file', new File(['x'], 'b.jsonl'));
    expect(await refusal(body)).toEqual([400, 'invalid_multipart_form_data', null]);
    expect(await stored()).toEqual(before);
  });

  test('a file in another field', async () => {
    const body = new FormData();
    body.append('data', new File(['x'], 'b.jsonl'));
    expect(await refusal(body)).toEqual([400, 'invalid_multipart_form_data', null]);
  });

  test.each([
    ['multipart/form-data; boundary=B', PART, 400],
    ['multipart/form-data; boundary=B', '', 400],
    ['multipart/form-data', PART, 415],
    ['application/json', '{}', 415],
    ['application/x-www-form-urlencoded', 'purpose=batch', 415],
  ])('a body of %s that is %j', async (type, body, status) => {
    const before = await stored();
    const response = await api.call('/v1/files', { method: 'POST', body, headers: { 'content-type': type } });
    expect(response.status).toBe(status);
    expect(await stored()).toEqual(before);
  });
});

describe('an upload that breaks', () => {
  test('leaves nothing, and is no defect', async () => {
    const before = await stored();
    const socket = await begin(PART, 1000);
    socket.destroy();
    await eventually(() => expect(api.log()).toContain('"status":499'));
    expect(await stored()).toEqual(before);
    expect(api.log()).not.toContain('defect');
  });

  test('by silence is answered, and leaves nothing', async () => {
    const before = await stored();
    const socket = await begin(PART, 1000);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 408 .*"upload_stalled"/s);
    socket.destroy();
    expect(await stored()).toEqual(before);
  });

  test('by bytes that come one by one is answered, and leaves nothing', async () => {
    const before = await stored();
    const socket = await begin(PART, 1000);
    const drip = setInterval(() => socket.write('x'), STALL_MS / 10);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    clearInterval(drip);
    expect(answer.toString()).toMatch(/^HTTP\/1.1 408 .*"upload_too_slow"/s);
    socket.destroy();
    expect(await stored()).toEqual(before);
  });

  test('by the store leaves nothing, and says whether to try again', async () => {
    const before = await stored();
    const answers: unknown[] = [];
    for (const error of [new StoreUnavailable('away'), new StoreFull('full')]) {
      failure = error;
      const response = await upload(form());
      const body = (await response.json()) as { error: { code: string } };
      answers.push([
        response.status,
        body.error.code,
        response.headers.get('retry-after'),
        response.headers.get('x-should-retry'),
      ]);
    }
    failure = undefined;
    expect(answers).toEqual([
      [503, 'store_unavailable', '5', null],
      [503, 'storage_full', null, 'false'],
    ]);
    expect(await stored()).toEqual(before);
  });
});

test('a refused upload leaves the connection to the next request', async () => {
  const body = `--B\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nvision\r\n${PART}${'x'.repeat(50_000)}\r\n--B--\r\n`;
  const socket = await begin(body, Buffer.byteLength(body));
  let answers = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answers += text));
  await eventually(() => expect(answers).toContain('HTTP/1.1 400'));
  const headers = Object.entries(tenantHeaders()).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /v1/files HTTP/1.1\r\nhost: a\r\n${headers.join('')}\r\n`);
  await eventually(() => expect(answers).toContain('HTTP/1.1 200'));
  socket.destroy();
});

test('a namespace with all the bytes that it may have uploads no more; others do', async () => {
  const small = await startBatchApi({ limits: { maxNamespaceBytes: 16 * 1024 } });
  const answers: unknown[] = [];
  for (const [content, namespace] of [['x'], ['x'.repeat(9_000)], ['x'], ['x', 'team-b']] as const) {
    const response = await small.call('/v1/files', { method: 'POST', body: form({ content }) }, namespace);
    answers.push([response.status, response.headers.get('x-should-retry')]);
  }
  expect(answers).toEqual([
    [200, null],
    [200, null],
    [429, 'false'],
    [200, null],
  ]);
  await small.close();
});

test.each([
  ['of a namespace', { ofOne: 1, all: 2 }, [429, 200]],
  ['of all', { ofOne: 2, all: 1 }, [503, 503]],
])('no more uploads at once than are allowed %s, and room again when they end', async (_, uploads, expected) => {
  const full = await startBatchApi({ limits: { uploads } });
  const status = async (namespace?: string): Promise<number> =>
    (await full.call('/v1/files', { method: 'POST', body: form() }, namespace)).status;
  const sockets: Socket[] = [];
  await eventually(async () => {
    sockets.push(await begin(PART, 1000, full));
    // The upload has come in when what was sent after it is answered.
    await full.call('/v1/files');
    expect([await status(), await status('team-b')]).toEqual(expected);
  });
  for (const socket of sockets) socket.destroy();
  await eventually(async () => expect(await status()).toBe(200));
  await full.close();
});
