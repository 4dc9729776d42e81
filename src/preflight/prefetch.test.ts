import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { shippedRepositories } from '../../test/hub-sim/repositories.ts';
import { startHub, type RunningHub } from '../../test/hub-sim/server.ts';

const SHIPPED = shippedRepositories();
const SHARDED = 'infer-examples/sharded-llama';

let directory = '';
let model = '';
let terminationLog = '';
let hub: RunningHub;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'infer-prefetch-'));
  model = join(directory, 'model');
  terminationLog = join(directory, 'termination-log');
  writeFileSync(terminationLog, 'what stood here before, longer than what comes '.repeat(100));
  hub = await startHub({ token: 'hf_member1', repositories: SHIPPED });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await hub.stop();
  rmSync(directory, { recursive: true });
});

function start(environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'prefetch.ts')], {
    // As in a pod: nothing of the environment is needed, not even a home.
    env: {
      INFER_MODEL_ID: SHARDED,
      INFER_MODEL_REVISION: 'main',
      INFER_MODEL_DIRECTORY: model,
      INFER_TERMINATION_LOG: terminationLog,
      HF_ENDPOINT: hub.url,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string,
  }));
  return { child, ended, output: () => output };
}

/** Bytes of partial files. */
function partialBytes(): number {
  const partial = join(model, '.infer', 'partial');
  if (!existsSync(partial)) return 0;
  return readdirSync(partial).reduce((sum, name) => {
    // One that has become whole has left meanwhile.
    return sum + (statSync(join(partial, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function expectModel(): void {
  const { files = [], commit } = SHIPPED.find(({ id }) => id === SHARDED)?.refs['main'] ?? {};
  const weights = files.filter(({ path }) => path.endsWith('.safetensors'));
  expect(weights).toHaveLength(3);
  for (const { path, content } of weights) expect(readFileSync(join(model, path)).equals(content)).toBe(true);
  const marker = JSON.parse(readFileSync(join(model, '.infer', 'download.json'), 'utf8')) as { commit: string };
  expect(marker.commit).toBe(commit);
}

/** Asks for this adapter, too. */
function bring(id: string): Record<string, string> {
  return { INFER_ADAPTERS: JSON.stringify([{ id, revision: 'main', directory: join(model, '.infer/adapters/sql') }]) };
}

function bytesOf(id: string, wanted: RegExp): number {
  const { files = [] } = SHIPPED.find((repository) => repository.id === id)?.refs['main'] ?? {};
  return files.filter(({ path }) => wanted.test(path)).reduce((sum, { content }) => sum + content.length, 0);
}

describe('the download container', () => {
  test('downloads and ends with 0, and leaves the termination message alone', async () => {
    const run = start();
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.output()).toMatch(/^Downloading infer-examples\/sharded-llama at commit [0-9a-f]{40}: 10 files/);
    expect(readFileSync(terminationLog, 'utf8')).toMatch(/^what stood here/);
    expectModel();
  });

  describe('with adapters', () => {
    test('brings each to its directory, by the token, before the model', async () => {
      const run = start({ ...bring('infer-examples/gated-lora'), HF_TOKEN: 'hf_member1' });
      expect((await run.ended).code).toBe(0);
      expect(readdirSync(join(model, '.infer/adapters/sql'))).toContain('adapter_model.safetensors');
      expectModel();
      expect(run.output()).toMatch(/gated-lora is complete\.\nDownloading infer-examples\/sharded-llama/);
    });

    test('ends at a wrong one before it begins with the model', async () => {
      expect((await start(bring('infer-examples/pickle-lora')).ended).code).toBe(1);
      expect(JSON.parse(readFileSync(terminationLog, 'utf8'))).toMatchObject({ reason: 'NoSafetensors' });
      expect(hub.requests.filter(({ path }) => path.includes('sharded-llama'))).toEqual([]);
    });

    test('keeps to a limit for all of it together', async () => {
      const taken = bytesOf(SHARDED, /^(?!README|\.git)/);
      const more = bytesOf('infer-examples/tiny-lora', /^adapter_/);
      const limit = { INFER_MODEL_MAX_BYTES: String(taken + more - 1) };
      expect((await start(limit).ended).code).toBe(0);
      rmSync(model, { recursive: true });
      expect((await start({ ...limit, ...bring('infer-examples/tiny-lora') }).ended).code).toBe(1);
      expect(JSON.parse(readFileSync(terminationLog, 'utf8'))).toMatchObject({ reason: 'DiskFull' });
    });
  });

  test.each([
    ['a list of adapters that is none', { INFER_ADAPTERS: 'sql' }, 'InvalidSettings'],
    ['a gated model', { INFER_MODEL_ID: 'infer-examples/gated-llama' }, 'ModelGated'],
    ['a token that is none', { HF_TOKEN: 'password1' }, 'TokenInvalid'],
    ['a revoked token', { HF_TOKEN: 'hf_revoked1' }, 'TokenInvalid'],
    ['a missing setting', { INFER_MODEL_ID: '' }, 'InvalidSettings'],
    ['a limit that the model exceeds', { INFER_MODEL_MAX_BYTES: '1000' }, 'DiskFull'],
    ['a limit that is no number', { INFER_MODEL_MAX_BYTES: '1Gi' }, 'InvalidSettings'],
    ['a place that is no directory', { INFER_MODEL_DIRECTORY: '/dev/null/model' }, 'DirectoryNotWritable'],
  ])('%s: one sentence on stderr, the same as JSON for Kubernetes, and 1', async (_, environment, reason) => {
    const run = start(environment);
    expect(await run.ended).toEqual({ code: 1, signal: null });
    const text = readFileSync(terminationLog, 'utf8');
    const message = JSON.parse(text) as { reason: string; message: string };
    expect(message.reason).toBe(reason);
    expect(run.output().trimEnd().split('\n').at(-1)).toBe(message.message);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(3 * 1024);
    expect(`${text}${run.output()}`).not.toMatch(/password1|hf_revoked1/);
  });

  test('without a termination log only the sentence is left', async () => {
    rmSync(terminationLog);
    const run = start({ INFER_MODEL_REVISION: 'nope' });
    expect((await run.ended).code).toBe(1);
    expect(run.output()).toContain('has no such revision');
    expect(existsSync(terminationLog)).toBe(false);
  });

  test('killed at any moment it goes on where it was, and fetches nothing twice', async () => {
    hub.setFaults([{ route: 'content', bytesPerSecond: 2_000_000 }]);
    for (const moment of [200_000, 1_500_000, 3_000_000]) {
      const run = start();
      await until(() => partialBytes() > moment);
      run.child.kill('SIGKILL');
      await run.ended;
      expect(existsSync(join(model, '.infer', 'download.json'))).toBe(false);
    }
    const before = partialBytes();
    await hub.stop();
    hub = await startHub({ repositories: SHIPPED });
    expect((await start().ended).code).toBe(0);
    expectModel();
    const resumed = hub.requests.filter(({ origin, range }) => origin === 'cdn' && range !== undefined);
    const starts = resumed.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]));
    expect(starts.reduce((sum, first) => sum + first, 0)).toBe(before);
    expect(before).toBeGreaterThan(3_000_000);
  });

  test('SIGTERM ends it at once with 143, and what is there stays', async () => {
    hub.setFaults([{ route: 'content', bytesPerSecond: 1_000_000 }]);
    const run = start();
    await until(() => partialBytes() > 100_000);
    run.child.kill('SIGTERM');
    expect(await run.ended).toEqual({ code: 143, signal: null });
    expect(partialBytes()).toBeGreaterThan(100_000);
  });
});
