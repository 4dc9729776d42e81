import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { shippedRepositories, type RepositoryFile } from '../hub-sim/repositories.ts';
import { startHub, type RunningHub } from '../hub-sim/server.ts';
import { ensurePythonPackage } from '../support/python-package.ts';

// The stand-in is worth as much as it deceives the client that the world uses.
const CLIENT = 'huggingface_hub==2.4.0';
// The client keeps what has come of a file in steps of 10 MiB.
const CLIENT_STEP = 10 * 1024 * 1024;
const SHIPPED = shippedRepositories(12);
const SHARDED = 'infer-examples/sharded-llama';
const MEMBER = 'hf_memberToken0';

const run = promisify(execFile);
let python = '';
let directory = '';
let hub: RunningHub;

beforeAll(async () => {
  python = await ensurePythonPackage(CLIENT);
}, 300_000);

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hub-sim-'));
  hub = await startHub({ token: MEMBER, repositories: SHIPPED, pageSize: 4 });
});

afterEach(async () => {
  await hub.stop();
  rmSync(directory, { recursive: true });
});

interface Call {
  call: 'snapshot' | 'info';
  repo: string;
  revision?: string;
  token?: string;
  directory?: string;
}

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: directory,
    HF_HOME: join(directory, 'home'),
    HF_ENDPOINT: hub.url,
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
  };
}

const SCRIPT = join(import.meta.dirname, '..', 'hub-sim', 'client.py');

async function client(call: Call): Promise<Record<string, unknown>> {
  const argument = JSON.stringify({ directory: join(directory, 'model'), ...call });
  const { stdout } = await run(python, [SCRIPT, argument], { env: environment(), timeout: 50_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

function filesOf(id: string, revision = 'main'): readonly RepositoryFile[] {
  return SHIPPED.find((repository) => repository.id === id)?.refs[revision]?.files ?? [];
}

function expectSnapshot(id: string): void {
  const files = filesOf(id);
  expect(files.length).toBeGreaterThan(5);
  for (const { path, content } of files) {
    expect(readFileSync(join(directory, 'model', path)).equals(content)).toBe(true);
  }
}

describe('the real huggingface_hub client', () => {
  test('downloads a snapshot, every file with its content', async () => {
    expect(await client({ call: 'snapshot', repo: 'infer-examples/tiny-llama' })).toEqual({
      path: join(directory, 'model'),
    });
    expectSnapshot('infer-examples/tiny-llama');
  });

  test('reads the facts of a model', async () => {
    const files = filesOf(SHARDED);
    expect(await client({ call: 'info', repo: SHARDED })).toEqual({
      sha: expect.stringMatching(/^[0-9a-f]{40}$/),
      gated: false,
      license: 'apache-2.0',
      parameters: expect.any(Number),
      files: Object.fromEntries(files.map(({ path, content }) => [path, content.length])),
      digests: Object.fromEntries(files.filter(({ lfs }) => lfs).map(({ path, lfs }) => [path, lfs?.oid])),
    });
  });

  test('opens gated and private models with the token, which stays with the hub', async () => {
    for (const repo of ['infer-examples/gated-llama', 'infer-examples/private-llama']) {
      expect(await client({ call: 'snapshot', repo, token: MEMBER })).toEqual({ path: expect.any(String) });
    }
    const cdn = hub.requests.filter(({ origin }) => origin === 'cdn');
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test.each([
    ['a gated model without a token', { repo: 'infer-examples/gated-llama' }, 'GatedRepoError'],
    [
      'a gated model with a token without access',
      { repo: 'infer-examples/gated-llama', token: 'hf_stranger1' },
      'GatedRepoError',
    ],
    ['a private model without a token', { repo: 'infer-examples/private-llama' }, 'RepositoryNotFoundError'],
    ['an unknown model', { repo: 'infer-examples/nothing', token: MEMBER }, 'RepositoryNotFoundError'],
    ['an unknown revision', { repo: SHARDED, revision: 'v9' }, 'RevisionNotFoundError'],
    ['a token that is not valid', { repo: SHARDED, token: 'hf_revoked1' }, 'HfHubHTTPError'],
  ])('meets %s with its own error class', async (_, call, kind) => {
    const { error } = (await client({ call: 'snapshot', ...call })) as { error: string[] };
    expect(error[0]).toBe(kind);
  });

  test('survives a busy hub, and goes on with a cut file where it broke off', async () => {
    const file = 'model-00002-of-00003.safetensors';
    hub.setFaults([
      { route: 'content', file, cutAfterBytes: CLIENT_STEP + 100_000, times: 1 },
      { route: 'resolve', status: 503, times: 1 },
    ]);
    await client({ call: 'snapshot', repo: SHARDED });
    expectSnapshot(SHARDED);
    const ranges = hub.requests.filter(({ origin, status }) => origin === 'cdn' && status === 206);
    expect(ranges.map(({ range }) => range)).toEqual([`bytes=${CLIENT_STEP}-`]);
  });
});
