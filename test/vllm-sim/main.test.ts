import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSimulator, type SimulatorProcess } from './child.ts';

const running: SimulatorProcess[] = [];
let root = '';

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'vllm-sim-'));
});

afterAll(() => rmSync(root, { recursive: true }));

afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});

function start(argv: string[], environment: Record<string, string> = {}): SimulatorProcess {
  const simulator = spawnSimulator(argv, environment);
  running.push(simulator);
  return simulator;
}

function model(name: string, config: object | string, files: Record<string, string> = { 'model.safetensors': '' }) {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return directory;
}

function lora(name: string, rank: number, weights = true): string {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify({ r: rank }));
  if (weights) writeFileSync(join(directory, 'adapter_model.safetensors'), '');
  return directory;
}

function served(...flags: string[]): string[] {
  return ['--served-model-name=chat', ...flags];
}

const LLAMA = { architectures: ['LlamaForCausalLM'], max_position_embeddings: 2048 };

function chat(url: string, body: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello.' }], ...body }),
  });
}

describe('an adapter on disk', () => {
  test('is served beside the model', async () => {
    const flags = ['--enable-lora', '--lora-modules', `chat:sql=${lora('sql', 16)}`];
    const url = await start(served(...flags)).ready();
    expect((await chat(url, { model: 'chat:sql' })).status).toBe(200);
  });

  test.each([
    ['no directory', () => '/nowhere/lora', 'Loading lora chat:sql failed: No adapter found for /nowhere/lora'],
    ['no weights', () => lora('bare', 8, false), 'Loading lora chat:sql failed: No adapter found for'],
    ['a rank too high', () => lora('wide', 32), 'LoRA rank 32 is greater than max_lora_rank 16.'],
  ])('%s: it does not start', async (_, path, message) => {
    const simulator = start(served('--enable-lora', '--lora-modules', `chat:sql=${path()}`));
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain(message);
  });

  test('needs --enable-lora', async () => {
    const simulator = start(served('--lora-modules', `chat:sql=${lora('sql', 16)}`));
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain('Use --enable-lora to enable LoRA.');
  });
});

describe('the model on disk', () => {
  test('is read: its context length is the limit', async () => {
    const url = await start(['--model', model('good', LLAMA)]).ready();
    const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { max_model_len: number }[] };
    expect(models.data[0]?.max_model_len).toBe(2048);
  });

  test.each([
    ['no directory', () => ['/nowhere/model'], 'ValueError: Invalid repository ID or local directory specified'],
    ['no config.json', () => [root], "ensure the presence of a 'config.json'"],
    ['a cut config.json', () => [model('cut', '{"arch')], 'is not a valid JSON file'],
    [
      'a model class that vLLM does not have',
      () => [model('unknown', { architectures: ['TransfusionNet'] })],
      "Model architectures ['TransfusionNet'] are not supported for now",
    ],
    ['no weights', () => [model('empty', LLAMA, {})], 'RuntimeError: Cannot find any model weights with'],
    [
      'a shard missing',
      () => {
        const index = JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } });
        const files = { 'model.safetensors.index.json': index, 'model-1.safetensors': '' };
        return [model('sharded', LLAMA, files)];
      },
      'model-2.safetensors',
    ],
    [
      'a longer context than the model has',
      () => [model('good', LLAMA), '--max-model-len', '4096'],
      'User-specified max_model_len (4096) is greater than the derived max_model_len',
    ],
  ])('%s ends it with an error of vLLM', async (_, argv, message) => {
    const simulator = start(argv());
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain(message);
  });

  test('a context that the KV cache cannot hold ends it with the longest that it can', async () => {
    const simulator = start([model('good', LLAMA)], { SIM_KV_BLOCKS: '64' });
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain('the estimated maximum model length is 1024');
  });
});

test('a share of memory that leaves none for the KV cache ends it', async () => {
  const simulator = start(['--gpu-memory-utilization', '0.1']);
  expect((await simulator.ended).code).toBe(1);
  expect(simulator.output()).toContain('ValueError: No available memory for the cache blocks.');
});

describe('the environment', () => {
  test('an unknown argument ends it with 2, as argparse does', async () => {
    const simulator = start(['--max-model-length', '4096']);
    expect((await simulator.ended).code).toBe(2);
    expect(simulator.output()).toContain('vllm serve: error: unrecognized arguments: --max-model-length');
  });

  test('a model id cannot be had offline', async () => {
    const simulator = start(['--model', 'org/model'], { HF_HUB_OFFLINE: '1' });
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain("couldn't find them in the cached files");
  });

  test('a Service named vllm breaks the start', async () => {
    const simulator = start([], { VLLM_PORT: 'tcp://10.0.0.1:8000' });
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain("VLLM_PORT 'tcp://10.0.0.1:8000' appears to be a URI");
  });
});

describe('while it loads', () => {
  test('nothing listens, and SIGTERM ends it', async () => {
    const simulator = start([], { SIM_LOAD_SECONDS: '600' });
    await new Promise<void>((resolve) => simulator.child.stdout?.once('data', () => resolve()));
    expect(simulator.output()).not.toContain('startup complete');
    simulator.child.kill('SIGTERM');
    expect((await simulator.ended).code).toBe(0);
  });

  test('GPU out of memory: the cause stands in the engine’s traceback, too far above the last lines', async () => {
    const simulator = start([], { SIM_FAIL: 'gpu-oom' });
    expect((await simulator.ended).code).toBe(1);
    const lines = simulator.output().trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(
      /^\(APIServer pid=\d+\) RuntimeError: Engine core initialization failed\. See root cause/,
    );
    const cause = lines.findLastIndex((line) => /^\(EngineCore pid=\d+\) torch\.OutOfMemoryError: CUDA/.test(line));
    // A termination message holds the last 2 KiB of the log.
    expect(lines.slice(cause + 1).join('\n').length).toBeGreaterThan(2048);
  });

  test.each([
    ['crash', 'torch.AcceleratorError: CUDA error'],
    ['unsupported-architecture', 'are not supported for now'],
    ['missing-model', 'Invalid repository ID or local directory specified'],
  ])('%s', async (fail, message) => {
    const simulator = start([], { SIM_FAIL: fail });
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain(message);
  });

  test('a failure can be asked for by an argument, as hardware profiles set them', async () => {
    const simulator = start([model('configured', LLAMA), '--additional-config={"sim":"crash"}']);
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain('an illegal memory access was encountered');
  });

  test('settings can be given by an argument, too', async () => {
    const simulator = start(['--additional-config={"environment":{"SIM_STEP_MS":"fast"}}']);
    expect((await simulator.ended).code).toBe(1);
    expect(simulator.output()).toContain('SIM_STEP_MS must be a number of at least 0, not "fast".');
  });

  test('host out of memory: killed, without a word', async () => {
    const simulator = start([], { SIM_FAIL: 'host-oom' });
    expect(await simulator.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

describe('SIGTERM', () => {
  test('with a shutdown timeout a stream runs to its end, and then the process does', async () => {
    const simulator = start(['--shutdown-timeout', '30']);
    const url = await simulator.ready();
    const streaming = await chat(url, { stream: true, max_tokens: 1000, ignore_eos: true });
    simulator.child.kill('SIGTERM');
    let refused = await chat(url, { max_tokens: 1 });
    while (refused.status === 200) refused = await chat(url, { max_tokens: 1 });
    expect(refused.status).toBe(500);
    expect(await refused.text()).toContain('cannot schedule new futures after shutdown');
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const text = await streaming.text();
    expect(text).toContain('"finish_reason":"length"');
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect((await simulator.ended).code).toBe(0);
  });

  test.each([
    ['by default', []],
    ['when the timeout is over', ['--shutdown-timeout', '1']],
  ])('%s what runs is aborted', async (_, flags) => {
    const simulator = start(flags);
    const url = await simulator.ready();
    const streaming = await chat(url, { stream: true, max_tokens: 5000, ignore_eos: true });
    simulator.child.kill('SIGTERM');
    expect(await streaming.text()).toContain('"finish_reason":"abort"');
    expect((await simulator.ended).code).toBe(0);
  });
});

test('a crash after two requests: they are answered, the third gets an error, the process ends with 1', async () => {
  const simulator = start([], { SIM_FAIL: 'crash:2' });
  const url = await simulator.ready();
  const statuses = [];
  for (let request = 0; request < 3; request += 1) statuses.push((await chat(url, { max_tokens: 2 })).status);
  expect(statuses).toEqual([200, 200, 500]);
  expect((await simulator.ended).code).toBe(1);
  expect(simulator.output()).toContain('EngineCore encountered a fatal error.');
});
