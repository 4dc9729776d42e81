import { describe, expect, test } from '@jest/globals';
import { parseArguments, UsageError } from './arguments.ts';

describe('the command line', () => {
  test('is read as the operator writes it', () => {
    const line =
      'serve --model /var/lib/infer/model --served-model-name llama-8b llama --host 0.0.0.0 --port 8000 ' +
      '--tensor-parallel-size 2 --max-model-len 8192 --max-num-seqs 64 --gpu-memory-utilization 0.9 --dtype auto ' +
      '--quantization fp8 --shutdown-timeout 120 --enable-force-include-usage --enable-auto-tool-choice ' +
      '--tool-call-parser llama3_json --reasoning-parser qwen3 --max-num-queued-reqs 1000';
    expect(parseArguments(line.split(' '))).toMatchObject({
      model: '/var/lib/infer/model',
      servedModelNames: ['llama-8b', 'llama'],
      port: 8000,
      tensorParallelSize: 2,
      maxModelLen: 8192,
      maxNumSeqs: 64,
      gpuMemoryUtilization: 0.9,
      shutdownTimeoutSeconds: 120,
      forceIncludeUsage: true,
      autoToolChoice: true,
      toolCallParser: 'llama3_json',
      maxQueuedRequests: 1000,
    });
  });

  test('takes the model as the first word, = for values, underscores and negated switches', () => {
    const parsed = parseArguments(['serve', 'org/model', '--max_model_len=4k', '--no-enable-prefix-caching']);
    expect(parsed).toMatchObject({
      model: 'org/model',
      servedModelNames: ['org/model'],
      maxModelLen: 4000,
      prefixCaching: false,
    });
  });

  test('knows lengths with a unit, and leaves auto to the model', () => {
    const lengths = ['1K', '2m', 'auto', '-1'].map((text) => parseArguments(['--max-model-len', text]).maxModelLen);
    expect(lengths).toEqual([1024, 2_000_000, undefined, undefined]);
  });

  test('knows adapters as NAME=PATH and as JSON', () => {
    const json = '{"name": "chat:python", "path": "/loras/python", "base_model_name": "chat"}';
    const line = ['--enable-lora', '--lora-modules', 'chat:sql=/loras/sql', json, '--max-lora-rank=64'];
    expect(parseArguments(line)).toMatchObject({
      loraEnabled: true,
      loraModules: [
        { name: 'chat:sql', path: '/loras/sql' },
        { name: 'chat:python', path: '/loras/python' },
      ],
      maxLoraRank: 64,
    });
  });

  test.each([
    ['a rank that vLLM does not have', ['--max-lora-rank', '24'], 'argument --max-lora-rank: invalid choice: 24'],
    ['an adapter without path', ['--lora-modules', 'sql'], 'Invalid JSON format for --lora-modules: sql'],
    ['an unknown flag', ['--max-model-length', '1'], 'unrecognized arguments: --max-model-length'],
    ['a second model', ['serve', 'a/b', 'c/d'], 'unrecognized arguments: c/d'],
    ['a word for a number', ['--port', 'http'], "argument --port: invalid int value: 'http'"],
    ['a flag without its value', ['--port'], 'argument --port: expected one argument'],
    ['a flag where its value should be', ['--dtype', '--port', '1'], 'argument --dtype: expected one argument'],
    ['an empty list', ['--served-model-name'], 'argument --served-model-name: expected at least one argument'],
    ['an impossible share', ['--gpu-memory-utilization', '92'], 'must be in (0, 1], got 92'],
    ['an impossible length', ['--max-model-len', 'long'], "invalid value: 'long'"],
  ])('refuses %s as argparse does', (_, argv, message) => {
    expect(() => parseArguments(argv)).toThrow(UsageError);
    expect(() => parseArguments(argv)).toThrow(message);
  });
});
