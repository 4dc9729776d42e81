import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { revision, shippedRepositories, type Repository } from '../../test/hub-sim/repositories.ts';
import { startHub, type HubOptions, type RunningHub } from '../../test/hub-sim/server.ts';
import { downloadModel, type DownloadOptions } from './download.ts';

const MEMBER = 'hf_memberToken0';
const SHIPPED = shippedRepositories();
const SHARDED = 'infer-examples/sharded-llama';
const SHARD = 'model-00002-of-00003.safetensors';

let directory = '';
let hub: RunningHub;
let lines: string[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'infer-download-'));
  lines = [];
  hub = await startHub({ token: MEMBER, repositories: SHIPPED });
});

afterEach(async () => {
  await hub.stop();
  rmSync(directory, { recursive: true });
});

async function restartHub(options: HubOptions): Promise<void> {
  await hub.stop();
  hub = await startHub({ token: MEMBER, repositories: SHIPPED, ...options });
}

function download(model: string, options: Partial<DownloadOptions> = {}) {
  return downloadModel({
    model,
    revision: 'main',
    endpoint: hub.url,
    directory,
    log: (line) => lines.push(line),
    policy: { attempts: 4, baseMs: 1, maxMs: 50 },
    ...options,
  });
}

function repository(id: string): Repository {
  const found = SHIPPED.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`There is no repository ${id}.`);
  return found;
}

/** Every file of main that a model needs lies in the directory with the content of the repository. */
function expectComplete(id: string): void {
  const files = repository(id).refs['main']?.files ?? [];
  const wanted = files.filter(({ path }) => /^[a-z][^/]*\.(safetensors|json|jinja)$/.test(path));
  expect(wanted.length).toBeGreaterThan(5);
  for (const { path, content } of wanted) expect(readFileSync(join(directory, path)).equals(content)).toBe(true);
  expect(existsSync(join(directory, '.infer', 'partial'))).toBe(false);
}

/** The second shard, as the hub has it. */
function shard(): { content: Buffer; oid: string } {
  const file = repository(SHARDED).refs['main']?.files.find(({ path }) => path === SHARD);
  return { content: file?.content ?? Buffer.of(), oid: file?.lfs?.oid ?? '' };
}

/** Requests for the bytes of the second shard. */
function shardRequests() {
  return hub.requests.filter(({ origin, path }) => origin === 'cdn' && path.includes(shard().oid));
}

/** Where a run that was killed leaves what it has of the second shard. */
function partialShard(): string {
  mkdirSync(join(directory, '.infer', 'partial'), { recursive: true });
  return join(directory, '.infer', 'partial', shard().oid);
}

describe('a download', () => {
  test('brings every file that vLLM needs, and no pickle', async () => {
    const result = await download('infer-examples/tiny-llama');
    expectComplete('infer-examples/tiny-llama');
    expect(result.commit).toBe(repository('infer-examples/tiny-llama').refs['main']?.commit);
    expect(result.receivedBytes).toBe(result.bytes);
    for (const name of ['pytorch_model.bin', 'original', 'tiny-llama-q4.gguf', 'README.md']) {
      expect(existsSync(join(directory, name))).toBe(false);
    }
  });

  test('says how far it is, once for each tenth at most', async () => {
    await download(SHARDED);
    const tenths = lines.map((line) => /^Downloaded (\d+) %/.exec(line)?.[1]).filter((tenth) => tenth !== undefined);
    expect(tenths).toEqual([...new Set(tenths)]);
    expect(tenths.length).toBeLessThanOrEqual(10);
    expect(tenths.at(-1)).toBe('100');
  });

  test('resolves the revision once and takes every file at that commit', async () => {
    await download('infer-examples/tiny-llama', { revision: 'v1.0' });
    const commit = repository('infer-examples/tiny-llama').refs['v1.0']?.commit ?? '';
    const asked = hub.requests.filter(({ path }) => path.includes('v1.0'));
    expect(asked).toHaveLength(1);
    expect(
      hub.requests.filter(({ path }) => path.includes('/resolve/')).every(({ path }) => path.includes(commit)),
    ).toBe(true);
    expect(readFileSync(join(directory, 'generation_config.json'), 'utf8')).toContain('"do_sample": false');
  });

  test('takes revisions with a slash', async () => {
    const { commit } = await download('infer-examples/tiny-llama', { revision: 'refs/pr/1' });
    expect(commit).toBe(repository('infer-examples/tiny-llama').refs['refs/pr/1']?.commit);
  });

  test('reads a file list of many pages', async () => {
    await restartHub({ pageSize: 3 });
    await download(SHARDED);
    expectComplete(SHARDED);
  });

  test('has at most four files under way', async () => {
    hub.setFaults([{ route: 'content', delayMs: 30 }]);
    let most = 0;
    const timer = setInterval(() => {
      const begun = hub.requests.filter(({ path }) => path.includes('/resolve/')).length;
      const ended = hub.requests.filter(
        ({ path, origin }) => origin === 'cdn' || path.includes('/resolve-cache/'),
      ).length;
      most = Math.max(most, begun - ended);
    }, 5);
    await download(SHARDED);
    clearInterval(timer);
    expect(most).toBe(4);
  });

  test('done again asks the hub nothing, even when it is away', async () => {
    const first = await download(SHARDED);
    await hub.stop();
    const second = await download(SHARDED);
    expect(second).toEqual({ ...first, receivedBytes: 0 });
  });

  test('done again without its marker trusts digests, not sizes', async () => {
    await download('infer-examples/tiny-llama');
    rmSync(join(directory, '.infer'), { recursive: true });
    const config = join(directory, 'config.json');
    writeFileSync(config, 'x'.repeat(statSync(config).size));
    const again = await download('infer-examples/tiny-llama');
    expectComplete('infer-examples/tiny-llama');
    expect(again.receivedBytes).toBe(statSync(config).size);
  });

  test('of another revision replaces files and takes away those it does not have', async () => {
    await download(SHARDED);
    await download('infer-examples/tiny-llama');
    expectComplete('infer-examples/tiny-llama');
    expect(existsSync(join(directory, SHARD))).toBe(false);
  });
});

describe('the token', () => {
  test('opens gated and private models', async () => {
    await download('infer-examples/gated-llama', { token: `${MEMBER}\n` });
    expectComplete('infer-examples/gated-llama');
    await download('infer-examples/private-llama', { token: MEMBER });
    expectComplete('infer-examples/private-llama');
  });

  test('goes to the hub and never to where it redirects', async () => {
    await download('infer-examples/gated-llama', { token: MEMBER });
    const { requests } = hub;
    expect(requests.filter(({ origin }) => origin === 'hub').every((seen) => seen.authorization !== undefined)).toBe(
      true,
    );
    expect(requests.filter(({ origin }) => origin === 'cdn').map((seen) => seen.authorization)).toEqual([undefined]);
  });

  test('that is none of Hugging Face is not sent at all', async () => {
    const secret = 'correct-horse-battery-staple';
    const error: unknown = await download('infer-examples/gated-llama', { token: secret }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ reason: 'TokenInvalid' });
    expect(hub.requests).toEqual([]);
    expect(`${String(error)}${lines.join('')}`).not.toContain(secret);
  });
});

describe('an adapter', () => {
  test('brings its weights and configuration, and nothing else', async () => {
    const { files, commit } = await download('infer-examples/tiny-lora', { kind: 'adapter', revision: 'rank-256' });
    const listed = repository('infer-examples/tiny-lora').refs['rank-256'];
    expect([files, commit]).toEqual([2, listed?.commit]);
    expect(readdirSync(directory).toSorted()).toEqual(['.infer', 'adapter_config.json', 'adapter_model.safetensors']);
    for (const name of ['adapter_config.json', 'adapter_model.safetensors']) {
      const content = listed?.files.find(({ path }) => path === name)?.content;
      expect(content?.equals(readFileSync(join(directory, name)))).toBe(true);
    }
  });

  test.each([
    [
      'unknown',
      'infer-examples/nothing',
      {},
      'ModelNotFound',
      /no adapter infer-examples\/nothing: check its id in spec\.adapters/,
    ],
    [
      'of an unknown revision',
      'infer-examples/tiny-lora',
      { revision: 'v9' },
      'RevisionNotFound',
      /its revision in spec\.adapters/,
    ],
    [
      'that is gated',
      'infer-examples/gated-lora',
      {},
      'ModelGated',
      /^The adapter infer-examples\/gated-lora is gated/,
    ],
    ['of pickles', 'infer-examples/pickle-lora', {}, 'NoSafetensors', /has no adapter_model\.safetensors/],
    ['that is a model', 'infer-examples/tiny-llama', {}, 'ModelRefused', /has no adapter_config\.json/],
    [
      'too large',
      'infer-examples/tiny-lora',
      { maxBytes: 100 },
      'DiskFull',
      /^The adapter infer-examples\/tiny-lora has/,
    ],
  ])('%s is refused, with where to look', async (_, id, options, reason, message) => {
    await expect(download(id, { kind: 'adapter', ...options })).rejects.toMatchObject({
      reason,
      message: expect.stringMatching(message),
    });
  });
});

describe('a refusal', () => {
  test.each([
    ['an unknown model', 'infer-examples/nothing', {}, 'ModelNotFound'],
    ['an unknown model, with a token', 'infer-examples/nothing', { token: MEMBER }, 'ModelNotFound'],
    ['a private model without a token', 'infer-examples/private-llama', {}, 'ModelNotFound'],
    ['an unknown revision', 'infer-examples/tiny-llama', { revision: 'v9' }, 'RevisionNotFound'],
    ['a gated model without a token', 'infer-examples/gated-llama', {}, 'ModelGated'],
    [
      'a gated model with a token without access',
      'infer-examples/gated-llama',
      { token: 'hf_stranger1' },
      'ModelGated',
    ],
    ['a token that is not valid', 'infer-examples/tiny-llama', { token: 'hf_revoked1' }, 'TokenInvalid'],
    ['a model of pickles', 'infer-examples/pickle-only', {}, 'NoSafetensors'],
    ['a path for a model id', '../../etc', {}, 'InvalidSettings'],
    ['a password in the endpoint', 'a/b', { endpoint: 'http://user:pass@hub/' }, 'InvalidSettings'],
  ])('%s', async (_, model, options, reason) => {
    const error: unknown = await download(model, options).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ reason });
    expect(String(error)).not.toMatch(/hf_|pass/);
  });

  test('names that leave the directory write nothing', async () => {
    const evil = revision({ 'model.safetensors': 'x', '../evil.json': '{}' });
    await restartHub({ repositories: [{ ...repository(SHARDED), id: 'evil/model', refs: { main: evil } }] });
    await expect(download('evil/model')).rejects.toMatchObject({ reason: 'ModelRefused' });
    expect(existsSync(join(directory, '..', 'evil.json'))).toBe(false);
  });

  test('a hub that is not there', async () => {
    await hub.stop();
    await expect(download(SHARDED)).rejects.toMatchObject({
      reason: 'HubUnreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('a hub that stays busy', async () => {
    hub.setFaults([{ route: 'info', status: 503 }]);
    await expect(download(SHARDED)).rejects.toMatchObject({ reason: 'HubUnreachable' });
    expect(hub.requests).toHaveLength(4);
  });

  test('a server that is no hub', async () => {
    hub.setFaults([{ route: 'info', status: 200 }]);
    await expect(download(SHARDED)).rejects.toMatchObject({ reason: 'HubUnreachable' });
  });
});

describe('a bad line', () => {
  test('a cut file goes on where it broke off', async () => {
    hub.setFaults([{ route: 'content', file: SHARD, cutAfterBytes: 500_000, times: 2 }]);
    await download(SHARDED);
    expectComplete(SHARDED);
    const ranges = shardRequests().map(({ range, status }) => [range, status]);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toEqual([undefined, 200]);
    expect(ranges[1]).toEqual([expect.stringMatching(/^bytes=\d{6}-$/), 206]);
  });

  test('any number of cuts is survived as long as each brings something', async () => {
    hub.setFaults([{ route: 'content', file: SHARD, cutAfterBytes: 200_000, times: 9 }]);
    await download(SHARDED);
    expectComplete(SHARDED);
  });

  test('cuts before the first byte end it', async () => {
    hub.setFaults([{ route: 'content', file: SHARD, cutAfterBytes: 0 }]);
    await expect(download(SHARDED)).rejects.toMatchObject({
      reason: 'HubUnreachable',
      message: expect.stringContaining(`Downloading ${SHARD} failed 4 times`),
    });
  });

  test.each([
    ['429 with Retry-After', { status: 429, retryAfter: 0.05 }],
    ['500', { status: 500 }],
    ['503', { status: 503 }],
    ['a cut before any answer', { cutAfterBytes: 0 }],
  ])('%s is tried again, on every route', async (_, fault) => {
    hub.setFaults((['info', 'tree', 'resolve', 'content'] as const).map((route) => ({ route, times: 2, ...fault })));
    await download(SHARDED);
    expectComplete(SHARDED);
  });

  test('Retry-After is kept to', async () => {
    hub.setFaults([{ route: 'info', status: 429, retryAfter: 1, times: 1 }]);
    const started = performance.now();
    await download('infer-examples/tiny-llama', { policy: { attempts: 4, baseMs: 1, maxMs: 60_000 } });
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  });

  test('an expired link is asked for again', async () => {
    hub.setFaults([{ route: 'content', file: SHARD, status: 403, times: 1 }]);
    await download(SHARDED);
    expectComplete(SHARDED);
  });

  test('a server without ranges costs a new beginning, not the content', async () => {
    hub.setFaults([
      { route: 'content', file: SHARD, cutAfterBytes: 500_000, times: 1 },
      { route: 'content', file: SHARD, ignoreRange: true, times: 1 },
    ]);
    const { bytes, receivedBytes } = await download(SHARDED);
    expectComplete(SHARDED);
    expect(receivedBytes).toBeGreaterThan(bytes);
  });

  test('wrong content is fetched again', async () => {
    hub.setFaults([{ route: 'content', file: SHARD, corrupt: true, times: 1 }]);
    await download(SHARDED);
    expectComplete(SHARDED);
    expect(shardRequests().map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  test.each([SHARD, 'config.json'])('content of %s that stays wrong is refused and gets no name', async (file) => {
    hub.setFaults([{ route: 'content', file, corrupt: true }]);
    await expect(download(SHARDED)).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
    expect(existsSync(join(directory, file))).toBe(false);
    expect(existsSync(join(directory, '.infer', 'download.json'))).toBe(false);
  });
});

describe('what an earlier run left', () => {
  test('is continued', async () => {
    writeFileSync(partialShard(), shard().content.subarray(0, 1_000_000));
    const { bytes, receivedBytes } = await download(SHARDED);
    expectComplete(SHARDED);
    expect(bytes - receivedBytes).toBe(1_000_000);
    expect(shardRequests()[0]?.range).toBe('bytes=1000000-');
  });

  test('is taken as it is when it is whole', async () => {
    writeFileSync(partialShard(), shard().content);
    await download(SHARDED);
    expectComplete(SHARDED);
    expect(shardRequests()).toEqual([]);
  });

  test.each([
    ['too long', () => Buffer.concat([shard().content, Buffer.of(1)])],
    ['of the right length and wrong', () => Buffer.alloc(shard().content.length, 7)],
    ['wrong from the start', () => Buffer.alloc(1000, 7)],
  ])('is thrown away when it is %s', async (_, content) => {
    writeFileSync(partialShard(), content());
    await download(SHARDED);
    expectComplete(SHARDED);
    expect(shardRequests().at(-1)?.range).toBeUndefined();
  });
});

describe('the disk', () => {
  test('full while it is written', async () => {
    symlinkSync('/dev/full', partialShard());
    await expect(download(SHARDED)).rejects.toMatchObject({
      reason: 'DiskFull',
      message: expect.stringContaining('sizeLimit'),
    });
  });

  test('too small for the model is known before the first byte', async () => {
    const huge = { ...repository(SHARDED), id: 'huge/model' };
    const { files = [], commit = '' } = huge.refs['main'] ?? {};
    const bigger = files.map((file) => (file.path === SHARD ? { ...file, size: 2 ** 50 } : file));
    await restartHub({ repositories: [{ ...huge, refs: { main: { commit, files: bigger } } }] });
    await expect(download('huge/model')).rejects.toMatchObject({ reason: 'DiskFull' });
    expect(hub.requests.some(({ path }) => path.includes('/resolve/'))).toBe(false);
  });

  test('a limit below the size of the model is known before the first byte, and says what to raise', async () => {
    const { bytes } = await download(SHARDED);
    rmSync(directory, { recursive: true });
    await restartHub({});
    await expect(download(SHARDED, { maxBytes: bytes - 1 })).rejects.toMatchObject({
      reason: 'DiskFull',
      message: expect.stringContaining('raise modelCache.sizeLimit of the HardwareProfile'),
    });
    expect(hub.requests.some(({ path }) => path.includes('/resolve/'))).toBe(false);
    await download(SHARDED, { maxBytes: bytes });
    expectComplete(SHARDED);
  });

  test('a place where no directory can be made', async () => {
    writeFileSync(join(directory, 'file'), '');
    await expect(download(SHARDED, { directory: join(directory, 'file', 'model') })).rejects.toMatchObject({
      reason: 'DirectoryNotWritable',
    });
  });
});
