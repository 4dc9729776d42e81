import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { factsOfConfig, type JsonObject } from './model-config.ts';
import { formatResult, parseResult } from './result.ts';

/** The part of real config.json files that counts here. */
const LLAMA_8B = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  torch_dtype: 'bfloat16',
  hidden_size: 4096,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  num_hidden_layers: 32,
  max_position_embeddings: 131_072,
  rope_scaling: { factor: 8, original_max_position_embeddings: 8192, rope_type: 'llama3' },
};

const QWEN_05B = {
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  hidden_size: 896,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  num_hidden_layers: 24,
  max_position_embeddings: 32_768,
  sliding_window: 32_768,
  use_sliding_window: false,
};

describe('the configuration of a model', () => {
  test('says its class, length, number format and attention', () => {
    expect(factsOfConfig(LLAMA_8B)).toEqual({
      architecture: 'LlamaForCausalLM',
      contextLength: 131_072,
      dtype: 'bfloat16',
      attention: { layers: 32, kvHeads: 8, headDim: 128 },
    });
  });

  test('holds the language model apart where there are pictures', () => {
    const { architectures: _, torch_dtype: dtype, ...text } = LLAMA_8B;
    const config = { architectures: ['LlavaForConditionalGeneration'], text_config: { ...text, dtype } };
    expect(factsOfConfig(config)).toEqual({
      ...factsOfConfig(LLAMA_8B),
      architecture: 'LlavaForConditionalGeneration',
    });
  });
});

describe('the length', () => {
  test.each<[string, JsonObject, number | undefined]>([
    ['is the smallest that is named', { max_position_embeddings: 4096, n_positions: 2048 }, 2048],
    ['of Command R is model_max_length', { max_position_embeddings: 8192, model_max_length: 131_072 }, 131_072],
    [
      'grows by a linear factor',
      { max_position_embeddings: 4096, rope_scaling: { type: 'linear', factor: 4 } },
      16_384,
    ],
    [
      'contains the factor of yarn',
      { max_position_embeddings: 131_072, rope_scaling: { rope_type: 'yarn', factor: 4 } },
      131_072,
    ],
    [
      'of longrope is the original one',
      {
        max_position_embeddings: 131_072,
        original_max_position_embeddings: 4096,
        rope_scaling: { type: 'longrope', long_factor: [1] },
      },
      4096,
    ],
    [
      'of Gemma 3 contains the factor',
      { model_type: 'gemma3_text', max_position_embeddings: 131_072, rope_scaling: { rope_type: 'linear', factor: 8 } },
      131_072,
    ],
    [
      'grows where each kind of layers has parameters',
      {
        max_position_embeddings: 4096,
        rope_parameters: { full_attention: { rope_type: 'dynamic', factor: 2 }, other: { rope_type: 'default' } },
      },
      8192,
    ],
    ['is not known where it is not named', {}, undefined],
    ['is not known where it is text', { max_position_embeddings: '4096' }, undefined],
    ['is not known beyond what a spec may ask for', { max_position_embeddings: 1e30 }, undefined],
    [
      'does not grow without end',
      { max_position_embeddings: 4096, rope_scaling: { type: 'linear', factor: 1e300 } },
      undefined,
    ],
  ])('%s', (_, config, expected) => {
    expect(factsOfConfig(config).contextLength).toBe(expected);
  });
});

describe('attention', () => {
  test.each<[string, JsonObject]>([
    ['a window that is off', QWEN_05B],
    ['a head size of its own', { ...QWEN_05B, head_dim: 64 }],
    ['pictures beside it', { ...QWEN_05B, model_type: 'qwen2_5_vl_text' }],
    ['no head size', { ...QWEN_05B, head_dim: null }],
    ['layers that are all alike', { ...QWEN_05B, layer_types: ['full_attention', 'full_attention'] }],
  ])('is plain with %s', (_, config) => {
    expect(factsOfConfig(config).attention).toEqual({ layers: 24, kvHeads: 2, headDim: 64 });
  });

  test('has as many heads for keys as for queries where none are named', () => {
    const { num_key_value_heads: _, ...config } = QWEN_05B;
    expect(factsOfConfig(config).attention?.kvHeads).toBe(14);
  });

  test.each<[string, JsonObject]>([
    ['a kind that is not listed', { ...LLAMA_8B, model_type: 'deepseek_v3' }],
    ['latent attention', { ...LLAMA_8B, kv_lora_rank: 512 }],
    ['a window', { ...LLAMA_8B, sliding_window: 4096 }],
    ['layers of several kinds', { ...LLAMA_8B, layer_types: ['sliding_attention', 'full_attention'] }],
    ['chunks', { ...LLAMA_8B, attention_chunk_size: 8192 }],
    ['an encoder, which keeps nothing', { ...LLAMA_8B, architectures: ['LlamaModel'] }],
    ['quantized keys and values', { ...LLAMA_8B, quantization_config: { kv_cache_scheme: { num_bits: 8 } } }],
    ['a number that is none', { ...LLAMA_8B, num_hidden_layers: '32' }],
    ['a head size of nothing', { ...LLAMA_8B, hidden_size: 1 }],
  ])('is not known with %s', (_, config) => {
    expect(factsOfConfig(config).attention).toBeUndefined();
  });
});

describe('quantization', () => {
  test.each<[JsonObject, string]>([
    [{ quantization_config: { quant_method: 'AWQ', bits: 4 } }, 'awq'],
    [{ quantization_config: { quant_method: 'compressed_tensors' } }, 'compressed-tensors'],
    [{ compression_config: { format: 'pack' } }, 'compressed-tensors'],
    [{ text_config: { quantization_config: { quant_method: 'fp8' } } }, 'fp8'],
    [{ quantization_config: { producer: { name: 'modelopt' } } }, 'modelopt'],
    [{ quantization_config: {} }, 'unknown'],
    [{ quantization_config: { quant_method: ['fp8'] } }, 'unknown'],
  ])('of %j is %s', (config, expected) => {
    expect(factsOfConfig(config).quantization).toBe(expected);
  });
});

test('no configuration makes a result that cannot be read', () => {
  const keys = [...Object.keys(LLAMA_8B), 'text_config', 'rope_parameters', 'quantization_config', 'model_max_length'];
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(LLAMA_8B)), fc.double());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), anything), (config) => {
      const base = { commit: 'a'.repeat(40), weightBytes: 1, totalBytes: 1, gated: false, adapters: [] };
      const facts = { ...base, ...factsOfConfig(config) };
      expect(parseResult(formatResult({ facts }))).toEqual({ facts });
    }),
  );
});
