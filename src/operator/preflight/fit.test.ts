import { describe, expect, test } from '@jest/globals';
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import { fitProblem, type FitInput, type ModelSize } from './fit.ts';

/** Files and configuration of the models as they are published. */
const LLAMA_8B: ModelSize = {
  weightBytes: 16_060_556_376,
  float32Bytes: 0,
  contextLength: 131_072,
  dtype: 'bfloat16',
  attention: { layers: 32, kvHeads: 8, headDim: 128 },
};
const LLAMA_70B: ModelSize = {
  ...LLAMA_8B,
  weightBytes: 141_107_497_872,
  attention: { layers: 80, kvHeads: 8, headDim: 128 },
};
const DEEPSEEK_V3: ModelSize = { weightBytes: 688_586_727_753, contextLength: 163_840, quantization: 'fp8' };

function check(
  model: ModelSize,
  gpus: [count: number, memoryGiB: number],
  { args, ...engine }: FitInput['engine'] & { args?: string[] } = {},
): string | undefined {
  const [count, memoryGiB] = gpus;
  const profile: HardwareProfileSpec = {
    image: 'vllm:v0.32.0',
    resources: { requests: { cpu: '8', memory: '64Gi' } },
    accelerator: { resource: 'nvidia.com/gpu', count, memoryGiB },
    ...(args !== undefined && { args }),
  };
  return fitProblem({ profileName: 'gpu', profile, engine, model })?.message;
}

describe('a model that fits', () => {
  test.each<[string, ModelSize, [number, number], Parameters<typeof check>[2]]>([
    ['8B, all of its context, on 80 GiB', LLAMA_8B, [1, 80], {}],
    ['8B, all of its context, on 40 GiB', LLAMA_8B, [1, 40], {}],
    ['8B, a short context, on 24 GiB', LLAMA_8B, [1, 24], { maxModelLen: 8192 }],
    ['8B in fp8, a short context, on 16 GiB', LLAMA_8B, [1, 16], { maxModelLen: 8192, quantization: 'fp8' }],
    ['70B, all of its context, on 4 x 80 GiB', LLAMA_70B, [4, 80], {}],
    ['70B, a short context, on 2 x 80 GiB', LLAMA_70B, [2, 80], { maxModelLen: 8192 }],
    ['70B in fp8, all of its context, on 2 x 80 GiB', LLAMA_70B, [2, 80], { quantization: 'fp8' }],
    ['70B in fp8, a short context, on 80 GiB', LLAMA_70B, [1, 80], { maxModelLen: 8192, quantization: 'fp8' }],
    ['70B in fp8 by the profile', LLAMA_70B, [1, 80], { args: ['--max-model-len=8192', '--quantization=fp8'] }],
    ['70B with the context of the profile', LLAMA_70B, [2, 80], { args: ['--max-model-len=8192'] }],
    ['70B with a context in words', LLAMA_70B, [2, 80], { args: ['--max-model-len=32k'] }],
    ['70B with a KV cache in fp8', LLAMA_70B, [2, 80], { args: ['--kv-cache-dtype=fp8'] }],
    ['70B with part of it in main memory', LLAMA_70B, [1, 80], { args: ['--cpu-offload-gb=100'] }],
    ['DeepSeek V3 on 8 x 141 GiB', DEEPSEEK_V3, [8, 141], {}],
    ['an unknown way to quantize', LLAMA_70B, [1, 80], { maxModelLen: 8192, quantization: 'nvfp4_per_token' }],
    [
      '8B stored as 32-bit floats',
      { ...LLAMA_8B, weightBytes: 32e9, float32Bytes: 32e9 },
      [1, 24],
      { maxModelLen: 8192 },
    ],
    [
      '8B stored as 32-bit floats that nobody counted',
      { weightBytes: 32e9, dtype: 'float32' },
      [1, 24],
      { maxModelLen: 8192 },
    ],
    ['a model of which nothing is known', {}, [1, 16], {}],
    ['one without a KV cache to be told', { weightBytes: 70e9, contextLength: 1e6 }, [1, 80], {}],
  ])('%s', (_, model, gpus, engine) => {
    expect(check(model, gpus, engine)).toBeUndefined();
  });

  test('any, without an accelerator', () => {
    const profile = { image: 'vllm:v0.32.0', resources: { requests: { cpu: '8', memory: '64Gi' } } };
    expect(fitProblem({ profileName: 'cpu', profile, engine: {}, model: DEEPSEEK_V3 })).toBeUndefined();
  });
});

describe('a model that does not fit', () => {
  test.each<[string, ModelSize, [number, number], Parameters<typeof check>[2], string]>([
    [
      '8B, all of its context, on 24 GiB',
      LLAMA_8B,
      [1, 24],
      {},
      'The model needs about 15.0 GiB of GPU memory for weights and 16.0 GiB for a context of 131072 tokens, and vLLM may take 22.1 GiB of the 1 x 24 GiB of gpu: set spec.engine.maxModelLen to at most 36864, or choose a larger profile.',
    ],
    [
      '8B on 16 GiB',
      LLAMA_8B,
      [1, 16],
      { maxModelLen: 8192 },
      'The weights of the model need about 15.0 GiB of GPU memory, and vLLM may take 14.7 GiB of the 1 x 16 GiB of gpu: choose a larger profile, or set spec.engine.quantization to fp8.',
    ],
    [
      '70B on 80 GiB',
      LLAMA_70B,
      [1, 80],
      { maxModelLen: 8192 },
      'The weights of the model need about 131 GiB of GPU memory, and vLLM may take 73.6 GiB of the 1 x 80 GiB of gpu: choose a larger profile, or set spec.engine.quantization to fp8.',
    ],
    [
      '70B in fp8 on 40 GiB',
      LLAMA_70B,
      [1, 40],
      { quantization: 'fp8' },
      'The weights of the model need about 65.7 GiB of GPU memory, and vLLM may take 36.8 GiB of the 1 x 40 GiB of gpu: choose a larger profile.',
    ],
    [
      'DeepSeek V3 on 8 x 80 GiB, which is fp8 already',
      DEEPSEEK_V3,
      [8, 80],
      { quantization: 'fp8' },
      'The weights of the model need about 641 GiB of GPU memory, and vLLM may take 589 GiB of the 8 x 80 GiB of gpu: choose a larger profile.',
    ],
  ])('%s', (_, model, gpus, engine, message) => {
    expect(check(model, gpus, engine)).toBe(message);
  });

  test.each<[string, ModelSize, [number, number], Parameters<typeof check>[2]]>([
    ['70B, all of its context, on 2 x 80 GiB', LLAMA_70B, [2, 80], {}],
    ['8B as 32-bit floats on 24 GiB', LLAMA_8B, [1, 24], { maxModelLen: 8192, dtype: 'float32' }],
    ['8B with half of 40 GiB', LLAMA_8B, [1, 40], { gpuMemoryUtilizationPercent: 50 }],
    ['8B with half of 40 GiB by the profile', LLAMA_8B, [1, 40], { args: ['--gpu-memory-utilization=0.5'] }],
    [
      '70B with a context that wins over the profile',
      LLAMA_70B,
      [2, 80],
      { maxModelLen: 131_072, args: ['--max-model-len=8192'] },
    ],
  ])('%s', (_, model, gpus, engine) => {
    expect(check(model, gpus, engine)).toContain('a larger profile');
  });

  test('on more GPUs than heads repeats heads on them', () => {
    const model = { weightBytes: 1e9, contextLength: 110_000 };
    const heads = (kvHeads: number) => check({ ...model, attention: { layers: 100, kvHeads, headDim: 1000 } }, [8, 40]);
    expect(heads(1)).toBeDefined();
    expect(heads(1)).toBe(heads(8));
  });

  test('gets an advice that fits', () => {
    for (const memoryGiB of [20, 24, 28]) {
      const advised = Number(/at most (\d+)/.exec(check(LLAMA_8B, [1, memoryGiB]) ?? '')?.[1]);
      expect(advised).toBeGreaterThanOrEqual(1024);
      expect(check(LLAMA_8B, [1, memoryGiB], { maxModelLen: advised })).toBeUndefined();
    }
  });

  test('has a message that fits into a condition, with the longest names and numbers', () => {
    const profile: HardwareProfileSpec = {
      image: 'vllm:v0.32.0',
      resources: { requests: { cpu: '8', memory: '64Gi' } },
      accelerator: { resource: 'nvidia.com/gpu', count: 16, memoryGiB: 4096 },
    };
    const model = { ...LLAMA_70B, contextLength: 16_777_216, attention: { layers: 1000, kvHeads: 16, headDim: 256 } };
    const problem = fitProblem({ profileName: 'p'.repeat(63), profile, engine: {}, model });
    expect(problem?.message).toContain('maxModelLen to at most');
    expect(problem?.message.length).toBeLessThanOrEqual(300);
  });
});
