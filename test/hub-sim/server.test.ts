import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseFaults } from './faults.ts';
import { shippedRepositories } from './repositories.ts';
import { startHub, type RunningHub } from './server.ts';

const SHIPPED = shippedRepositories(1);
const ID = 'infer-examples/tiny-llama';
const WEIGHTS = SHIPPED[0]?.refs['main']?.files.find(({ path }) => path === 'model.safetensors');

let hub: RunningHub;

beforeEach(async () => {
  hub = await startHub({ repositories: SHIPPED, control: true });
});

afterEach(() => hub.stop());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(hub.url + path, { headers, redirect: 'manual' });
}

/** The signed link that the hub gives for the weights. */
async function link(): Promise<string> {
  return (await get(`/${ID}/resolve/main/model.safetensors`)).headers.get('location') ?? '';
}

describe('a large file', () => {
  test('is a redirect to the other origin, with its commit, digest and size', async () => {
    const response = await get(`/${ID}/resolve/main/model.safetensors`);
    expect(response.status).toBe(302);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: expect.stringContaining(hub.cdnUrl),
      'x-repo-commit': SHIPPED[0]?.refs['main']?.commit,
      'x-linked-etag': `"${WEIGHTS?.lfs?.oid}"`,
      'x-linked-size': String(WEIGHTS?.content.length),
    });
  });

  test.each([
    ['bytes=0-9', 206, 'bytes 0-9/', 0, 10],
    ['bytes=100-', 206, 'bytes 100-', 100, undefined],
    ['bytes=-7', 206, 'bytes ', -7, undefined],
    ['bytes=5-3', 416, 'bytes */', 0, 0],
    ['bytes=999999999-', 416, 'bytes */', 0, 0],
    ['lines=1-2', 200, undefined, 0, undefined],
  ])('is sent by range: %s', async (range, status, contentRange, start, end) => {
    const response = await fetch(await link(), { headers: { range } });
    expect(response.status).toBe(status);
    if (contentRange === undefined) expect(response.headers.get('content-range')).toBeNull();
    else expect(response.headers.get('content-range')).toContain(contentRange);
    expect(Buffer.from(await response.arrayBuffer()).equals(WEIGHTS?.content.subarray(start, end) ?? Buffer.of())).toBe(
      true,
    );
  });

  test('is sent whole where If-Range names other content', async () => {
    const headers = { range: 'bytes=5-', 'if-range': '"other"' };
    expect((await fetch(await link(), { headers })).status).toBe(200);
  });

  test('is refused to a request that carries a token, or no signature', async () => {
    const url = await link();
    expect((await fetch(url, { headers: { authorization: 'Bearer x' } })).status).toBe(400);
    expect((await fetch(url.replace(/\?.*/, ''))).status).toBe(403);
  });
});

describe('answers', () => {
  test.each([
    ['/api/models/infer-examples/nothing', 401, 'RepoNotFound'],
    [`/api/models/${ID}/revision/v9`, 404, 'RevisionNotFound'],
    [`/${ID}/resolve/main/nothing.json`, 404, 'EntryNotFound'],
    ['/infer-examples/gated-llama/resolve/main/config.json', 401, 'GatedRepo'],
    ['/somewhere', 404, null],
  ])('%s is %d %s', async (path, status, code) => {
    const response = await get(path);
    expect([response.status, response.headers.get('x-error-code')]).toEqual([status, code]);
  });

  test('a file list goes over pages, and has folders', async () => {
    const first = await get(`/api/models/${ID}/tree/main?recursive=true&limit=5`);
    expect(await first.json()).toHaveLength(5);
    const [, next = ''] = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
    const rest = (await (await fetch(next)).json()) as unknown[];
    expect(rest.length).toBeGreaterThan(0);
    const top = (await (await get(`/api/models/${ID}/tree/main`)).json()) as { type: string; path: string }[];
    expect(top).toContainEqual(expect.objectContaining({ type: 'directory', path: 'original' }));
    expect(top.some(({ path }) => path.includes('/'))).toBe(false);
  });
});

describe('faults', () => {
  test('are set at run time, and used up', async () => {
    const faults = [{ repo: ID, route: 'info', status: 429, retryAfter: 7, times: 1 }];
    const set = await fetch(`${hub.url}/sim/faults`, { method: 'POST', body: JSON.stringify(faults) });
    expect(set.status).toBe(200);
    const refused = await get(`/api/models/${ID}`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '7']);
    expect((await get(`/api/models/${ID}`)).status).toBe(200);
    const seen = (await (await get('/sim/requests')).json()) as { status: number }[];
    expect(seen.map(({ status }) => status)).toEqual([429, 200]);
  });

  test.each(['{}', '[1]', '[{"statuss": 500}]', '[{"route": "elsewhere"}]', '[{"times": -1}]', '[{"corrupt": 1}]'])(
    '%s is not understood, and says so',
    (text) => {
      expect(() => parseFaults(text)).toThrow(/Faults must be|A fault/);
    },
  );
});
