import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { revision, shippedRepositories, type Repository } from '../../test/hub-sim/repositories.ts';
import { startHub, type HubOptions, type RunningHub } from '../../test/hub-sim/server.ts';
import { LoggedProcess } from '../../test/support/logged-process.ts';
import { gatherFacts, type PreflightOptions } from './facts.ts';
import { parseResult, type ModelFacts, type PreflightFailure } from './result.ts';

const MEMBER = 'hf_memberToken0';
const SHIPPED = shippedRepositories();
const TINY = 'infer-examples/tiny-llama';

let directory = '';
let terminationLog = '';
let hub: RunningHub;
const programs: LoggedProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'infer-preflight-'));
  terminationLog = join(directory, 'termination-log');
  writeFileSync(terminationLog, 'what stood here before, longer than what comes '.repeat(100));
  hub = await startHub({ token: MEMBER, repositories: SHIPPED });
});

afterEach(async () => {
  for (const program of programs.splice(0)) program.signal('SIGKILL');
  await hub.stop();
  rmSync(directory, { recursive: true });
});

async function restartHub(options: HubOptions): Promise<void> {
  await hub.stop();
  hub = await startHub({ token: MEMBER, ...options });
}

function start(environment: Record<string, string> = {}): LoggedProcess {
  const program = new LoggedProcess(join(import.meta.dirname, 'preflight.ts'), {
    INFER_MODEL_ID: TINY,
    INFER_MODEL_REVISION: 'main',
    INFER_TERMINATION_LOG: terminationLog,
    HF_ENDPOINT: hub.url,
    ...environment,
  });
  programs.push(program);
  return program;
}

/** Runs the program to its end; what it left for the operator, and what for people. */
async function run(environment: Record<string, string> = {}) {
  const program = start(environment);
  const code = await program.exit;
  const message = readFileSync(terminationLog, 'utf8');
  expect(`${message}${program.log}`).not.toMatch(/hf_[A-Za-z0-9]/);
  return { code, output: program.log, message, result: parseResult(message) };
}

async function factsFrom(environment: Record<string, string> = {}): Promise<ModelFacts> {
  const { code, result, output } = await run(environment);
  if (result === undefined || !('facts' in result)) throw new Error(`There are no facts: ${output}`);
  expect(code).toBe(0);
  expect(output).toMatch(/^\S+ at commit [0-9a-f]{40} can be downloaded: \d+\.\d+ GB of weights.*\.\n$/);
  return result.facts;
}

async function failureFrom(environment: Record<string, string> = {}): Promise<PreflightFailure> {
  const { code, result, output } = await run(environment);
  if (result === undefined || !('failure' in result)) throw new Error(`There is no failure: ${output}`);
  expect(code).toBe(1);
  // The same sentence, and nothing else, for who reads the log.
  expect(output).toBe(`${result.failure.message}\n`);
  return result.failure;
}

function repository(id: string): Repository {
  const found = SHIPPED.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`There is no repository ${id}.`);
  return found;
}

function commitOf(id: string, name = 'main'): string | undefined {
  return repository(id).refs[name]?.commit;
}

/** Bytes of the files of main whose names match. */
function bytesOf(id: string, pattern: RegExp): number {
  const files = repository(id).refs['main']?.files ?? [];
  return files.filter(({ path }) => pattern.test(path)).reduce((sum, { content }) => sum + content.length, 0);
}

function adapters(...list: { name: string; id: string; revision?: string }[]): Record<string, string> {
  return { INFER_ADAPTERS: JSON.stringify(list) };
}

describe('the facts', () => {
  test('of a public model', async () => {
    expect(await factsFrom()).toEqual({
      commit: commitOf(TINY),
      weightBytes: bytesOf(TINY, /^model\.safetensors$/),
      totalBytes: bytesOf(TINY, /^[^/]+\.(safetensors|json|jinja)$/),
      float32Bytes: 0,
      contextLength: 8192,
      gated: false,
      license: 'apache-2.0',
      architecture: 'LlamaForCausalLM',
      dtype: 'bfloat16',
      attention: { layers: 2, kvHeads: 2, headDim: 16 },
      adapters: [],
    });
  });

  test('are of the commit that a tag names, and no weights are asked for', async () => {
    expect((await factsFrom({ INFER_MODEL_REVISION: 'v1.0' })).commit).toBe(commitOf(TINY, 'v1.0'));
    const after = hub.requests.filter(({ path }) => !path.includes('v1.0'));
    expect(after.length).toBeGreaterThan(0);
    expect(after.every(({ path }) => path.includes(commitOf(TINY, 'v1.0') ?? ''))).toBe(true);
    expect(hub.requests.filter(({ path }) => path.includes('safetensors'))).toEqual([]);
  });

  test.each(['infer-examples/gated-llama', 'infer-examples/private-llama'])('of %s, with a token', async (id) => {
    const facts = await factsFrom({ INFER_MODEL_ID: id, HF_TOKEN: `${MEMBER}\n` });
    expect(facts).toMatchObject({ commit: commitOf(id), gated: id.includes('gated') });
  });

  test('of a model in parts are their sum', async () => {
    const id = 'infer-examples/sharded-llama';
    expect(await factsFrom({ INFER_MODEL_ID: id })).toMatchObject({
      weightBytes: bytesOf(id, /safetensors$/),
      license: 'apache-2.0',
    });
  });

  test('of an embedding model have its own length and no KV cache', async () => {
    const facts = await factsFrom({ INFER_MODEL_ID: 'infer-examples/tiny-embedding' });
    expect(facts).toMatchObject({ architecture: 'BertModel', contextLength: 512 });
    expect(facts).not.toHaveProperty('attention');
  });

  test('of a class that nobody knows are facts: judging is for the operator', async () => {
    const facts = await factsFrom({ INFER_MODEL_ID: 'infer-examples/unknown-architecture' });
    expect(facts.architecture).toBe('TransfusionNet');
  });

  test('come from the length that sentence transformers cut at, where there is one', async () => {
    await restartHub({ repositories: [withFile(TINY, 'sentence_xlm-roberta_config.json', '{"max_seq_length": 256}')] });
    expect((await factsFrom()).contextLength).toBe(256);
  });

  test('of a model that says in a file of its own that it is quantized', async () => {
    await restartHub({ repositories: [withFile(TINY, 'hf_quant_config.json', '{}')] });
    const facts = await factsFrom();
    expect(facts.quantization).toBe('modelopt');
    expect(facts).not.toHaveProperty('attention');
  });

  test('count weights that are stored whole and in parts once', async () => {
    const id = 'infer-examples/sharded-llama';
    await restartHub({ repositories: [withFile(id, 'model.safetensors', 'the same once more')] });
    const { weightBytes } = await factsFrom({ INFER_MODEL_ID: id });
    expect(weightBytes).toBe(bytesOf(id, /^model-.*\.safetensors$/));
  });

  test('of a model with infinite numbers in its configuration, as Python writes them', async () => {
    const config = '{"architectures": ["MambaForCausalLM"], "limit": [0.0, Infinity, -Infinity, NaN, "NaN"]}';
    await restartHub({ repositories: [withFile(TINY, 'config.json', config)] });
    expect((await factsFrom()).architecture).toBe('MambaForCausalLM');
  });

  test("of a model in Mistral's own format are few", async () => {
    const { 'config.json': _, 'model.safetensors': weights = '', ...others } = sources(TINY);
    const files = { ...others, 'params.json': '{"dim": 64}', 'consolidated.safetensors': weights };
    await restartHub({ repositories: [{ ...repository(TINY), refs: { main: revision(files) } }] });
    const facts = await factsFrom();
    expect(facts).toMatchObject({ weightBytes: bytesOf(TINY, /^model\.safetensors$/), license: 'apache-2.0' });
    expect(facts).not.toHaveProperty('architecture');
  });

  test('of a model of more bytes than can be counted are so many as can', async () => {
    const { files = [], commit = '' } = repository(TINY).refs['main'] ?? {};
    const huge = files.flatMap((file) => {
      const weights = { ...file, size: Number.MAX_SAFE_INTEGER };
      return file.path === 'model.safetensors' ? [weights, { ...weights, path: 'more.safetensors' }] : [file];
    });
    await restartHub({ repositories: [{ ...repository(TINY), refs: { main: { commit, files: huge } } }] });
    expect((await factsFrom()).weightBytes).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('of adapters stand in their order, each at its commit', async () => {
    const id = 'infer-examples/tiny-lora';
    const list = adapters({ name: 'wide', id, revision: 'rank-256' }, { name: 'sql', id });
    expect((await factsFrom(list)).adapters).toEqual([
      { name: 'wide', commit: commitOf(id, 'rank-256'), bytes: expect.any(Number), rank: 256 },
      { name: 'sql', commit: commitOf(id), bytes: bytesOf(id, /^adapter_/), rank: 8 },
    ]);
  });
});

/** The files of main by name. */
function sources(id: string): Record<string, Buffer> {
  const files = repository(id).refs['main']?.files ?? [];
  return Object.fromEntries(files.map(({ path, content }) => [path, content]));
}

/** The repository with another content of one file. */
function withFile(id: string, path: string, content: string): Repository {
  return { ...repository(id), refs: { main: revision({ ...sources(id), [path]: content }) } };
}

describe('a failure', () => {
  test.each([
    ['an unknown model', { INFER_MODEL_ID: 'infer-examples/nothing' }, 'ModelNotFound'],
    ['an unknown model, with a token', { INFER_MODEL_ID: 'infer-examples/nothing', HF_TOKEN: MEMBER }, 'ModelNotFound'],
    ['a private model without a token', { INFER_MODEL_ID: 'infer-examples/private-llama' }, 'ModelNotFound'],
    ['an unknown revision', { INFER_MODEL_REVISION: 'v9' }, 'RevisionNotFound'],
    // Its list is public: only a file tells.
    ['a gated model without a token', { INFER_MODEL_ID: 'infer-examples/gated-llama' }, 'ModelGated'],
    [
      'a gated model with a token without access',
      { INFER_MODEL_ID: 'infer-examples/gated-llama', HF_TOKEN: 'hf_stranger1' },
      'ModelGated',
    ],
    ['a token that is not valid', { HF_TOKEN: 'hf_revoked1' }, 'TokenInvalid'],
    ['a model of pickles', { INFER_MODEL_ID: 'infer-examples/pickle-only' }, 'NoSafetensors'],
    ['a path for a model', { INFER_MODEL_ID: '../../etc' }, 'InvalidSettings'],
    ['no model', { INFER_MODEL_ID: '' }, 'InvalidSettings'],
    ['adapters that are no JSON', { INFER_ADAPTERS: 'sql' }, 'InvalidSettings'],
    ['adapters that are no list', { INFER_ADAPTERS: '{"sql": "org/lora"}' }, 'InvalidSettings'],
    ['a path for an adapter', adapters({ name: 'sql', id: '../../etc' }), 'InvalidSettings'],
    ['an unknown adapter', adapters({ name: 'sql', id: 'infer-examples/nothing' }), 'ModelNotFound'],
    [
      'an adapter of an unknown revision',
      adapters({ name: 'sql', id: 'infer-examples/tiny-lora', revision: 'v9' }),
      'RevisionNotFound',
    ],
    ['a gated adapter without a token', adapters({ name: 'sql', id: 'infer-examples/gated-lora' }), 'ModelGated'],
    ['an adapter of pickles', adapters({ name: 'sql', id: 'infer-examples/pickle-lora' }), 'NoSafetensors'],
    ['a model in the place of an adapter', adapters({ name: 'sql', id: TINY }), 'ModelRefused'],
    ['an adapter in the place of a model', { INFER_MODEL_ID: 'infer-examples/tiny-lora' }, 'ModelRefused'],
  ])('for %s', async (_, environment, reason) => {
    const failure = await failureFrom(environment);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toMatch(/^[A-Z0-9"'].*[^.]\.?$/);
  });

  test('names the adapter and its field', async () => {
    const { message } = await failureFrom(adapters({ name: 'sql', id: 'infer-examples/nothing' }));
    expect(message).toContain('no adapter infer-examples/nothing: check its id in spec.adapters');
  });

  test('for an adapter of another kind than LoRA', async () => {
    const id = 'infer-examples/tiny-lora';
    const prompt = withFile(id, 'adapter_config.json', '{"peft_type": "PROMPT_TUNING"}');
    await restartHub({ repositories: [repository(TINY), prompt] });
    expect(await failureFrom(adapters({ name: 'sql', id }))).toEqual({
      reason: 'AdapterRefused',
      message:
        `The adapter ${id} is of the PEFT type "PROMPT_TUNING", not LORA: ` +
        'check its id and revision in spec.adapters.',
    });
  });

  test.each([['{"architectures": '], ['[]'], ['null']])('for a configuration that is %s', async (content) => {
    await restartHub({ repositories: [withFile(TINY, 'config.json', content)] });
    expect(await failureFrom()).toMatchObject({ reason: 'ModelRefused' });
  });

  test('where the termination log is not there is a sentence still', async () => {
    rmSync(terminationLog);
    const program = start({ INFER_MODEL_REVISION: 'nope' });
    expect(await program.exit).toBe(1);
    expect(program.log).toContain('has no such revision');
    expect(existsSync(terminationLog)).toBe(false);
  });
});

describe('the token', () => {
  test('that is none of Hugging Face is not sent, nor said', async () => {
    const { output, message, result } = await run({ HF_TOKEN: 'correct-horse-battery' });
    expect(result).toMatchObject({ failure: { reason: 'TokenInvalid' } });
    expect(hub.requests).toEqual([]);
    expect(`${output}${message}`).not.toContain('correct-horse');
  });

  test('stays behind where the hub redirects to its store', async () => {
    const gated = repository('infer-examples/gated-llama');
    const files = (gated.refs['main']?.files ?? []).map((file) => {
      const oid = createHash('sha256').update(file.content).digest('hex');
      return file.path === 'config.json' ? { ...file, lfs: { oid, pointerSize: 130 } } : file;
    });
    await restartHub({ repositories: [{ ...gated, refs: { main: { commit: 'c'.repeat(40), files } } }] });
    await factsFrom({ INFER_MODEL_ID: gated.id, HF_TOKEN: MEMBER });
    expect(hub.requests.map(({ origin, authorization, status }) => [origin, authorization, status])).toEqual([
      ['hub', `Bearer ${MEMBER}`, 200],
      ['hub', `Bearer ${MEMBER}`, 200],
      ['hub', `Bearer ${MEMBER}`, 302],
      ['cdn', undefined, 200],
    ]);
  });
});

describe('a bad line', () => {
  const policy = { attempts: 3, baseMs: 1, maxMs: 1 };

  function gather(options: Partial<PreflightOptions> = {}): Promise<ModelFacts> {
    const { signal } = new AbortController();
    return gatherFacts({ model: TINY, revision: 'main', adapters: [], endpoint: hub.url, signal, policy, ...options });
  }

  test.each([
    ['429 with Retry-After', { status: 429, retryAfter: 1 }],
    ['503', { status: 503 }],
    ['a cut', { cutAfterBytes: 0 }],
  ])('%s is tried again, on every route', async (_, fault) => {
    const routes = ['info', 'tree', 'resolve', 'content'] as const;
    hub.setFaults(routes.map((route) => ({ route, times: 1, ...fault })));
    expect((await gather()).architecture).toBe('LlamaForCausalLM');
    const asked = (part: string) => hub.requests.filter(({ path }) => path.includes(part)).length;
    expect(['/revision/', '/tree/', '/resolve/', '/resolve-cache/'].map(asked)).toEqual([2, 2, 3, 2]);
  });

  test('a configuration that is not what the hub lists is read again', async () => {
    hub.setFaults([{ route: 'content', file: 'config.json', corrupt: true, times: 1 }]);
    expect((await gather()).architecture).toBe('LlamaForCausalLM');
  });

  test('a busy hub is given up after a few tries, for the next run to ask', async () => {
    hub.setFaults([{ route: 'info', status: 503 }]);
    const started = performance.now();
    expect(await failureFrom()).toMatchObject({ reason: 'HubUnreachable' });
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(hub.requests).toHaveLength(3);
  });

  test('so is one that is not there', async () => {
    await hub.stop();
    expect(await failureFrom()).toMatchObject({
      reason: 'HubUnreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('and one that says nothing; a signal ends the waiting at once with 143 and no result', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      await expect(gather({ endpoint, silenceMs: 100 })).rejects.toMatchObject({ reason: 'HubUnreachable' });
      const asked = once(silent, 'request');
      const program = start({ HF_ENDPOINT: endpoint });
      await asked;
      expect(await program.end('SIGTERM')).toBe(143);
      expect(readFileSync(terminationLog, 'utf8')).toMatch(/^what stood here/);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
