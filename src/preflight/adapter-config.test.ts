import { describe, expect, test } from '@jest/globals';
import { adapterRank } from './adapter-config.ts';

const LORA = { peft_type: 'LORA', r: 16, bias: 'none', modules_to_save: null };

describe('the rank of an adapter', () => {
  test.each([
    ['that of all modules', LORA, 16],
    ['the highest of any module', { ...LORA, rank_pattern: { 'q_proj|v_proj': 64, k_proj: 8 } }, 64],
    ['also with a head for classes', { ...LORA, modules_to_save: ['classifier', 'score'] }, 16],
  ])('is %s', (_, config, expected) => {
    expect(adapterRank('org/lora', config)).toBe(expected);
  });

  test.each([
    ['nothing', {}, 'is of the PEFT type that is absent, not LORA'],
    ['another type', { ...LORA, peft_type: 'IA3' }, 'is of the PEFT type "IA3", not LORA'],
    ['no rank', { peft_type: 'LORA' }, 'has the rank that is absent'],
    ['a rank of nothing', { ...LORA, r: 0 }, 'has the rank 0'],
    ['a rank beyond what vLLM knows', { ...LORA, r: 513 }, 'has the rank 513, not one of 1 to 512'],
    ['a rank as text', { ...LORA, r: '16' }, 'has the rank "16"'],
    ['a module of too high a rank', { ...LORA, rank_pattern: { q_proj: 1024 } }, 'has the rank 1024'],
    ['DoRA', { ...LORA, use_dora: true }, 'uses DoRA'],
    ['biases', { ...LORA, bias: 'all' }, 'has biases'],
    ['an embedding of its own', { ...LORA, modules_to_save: ['embed_tokens'] }, 'replaces whole modules'],
  ])('%s is refused', (_, config, message) => {
    expect(() => adapterRank('org/lora', config)).toThrow(`The adapter org/lora ${message}`);
  });
});
