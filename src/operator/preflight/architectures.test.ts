import { describe, expect, test } from '@jest/globals';
import { supportsArchitecture } from './architectures.ts';

describe('a class that vLLM', () => {
  test.each([
    ['has', 'LlamaForCausalLM'],
    ['has for embeddings', 'BertModel'],
    ['has for pictures', 'Qwen2_5_VLForConditionalGeneration'],
    ['has for speech', 'WhisperForConditionalGeneration'],
    ['has under a name like no other', 'Terratorch'],
    ['turns into a classifier', 'Qwen3ForSequenceClassification'],
    ['turns into an embedding model', 'Qwen3MoeModel'],
    ['takes from Transformers', 'HeliumForCausalLM'],
    ['takes from Transformers for embeddings', 'DistilBertModel'],
    ['takes from Transformers as it was trained', 'ModernBertForMaskedLM'],
  ])('%s may run', (_, name) => {
    expect(supportsArchitecture(name)).toBe(true);
  });

  test.each([
    ['has never heard of', 'TransfusionNet'],
    ['has never heard of, with a usual end', 'TransfusionForCausalLM'],
    ['dropped', 'BaichuanForCausalLM'],
    ['runs only beside another model', 'EagleLlamaForCausalLM'],
    ['would have to split into encoder and decoder', 'T5ForConditionalGeneration'],
    ['has no task for', 'BertForQuestionAnswering'],
    ['cannot know by its end alone', 'ForCausalLM'],
    ['cannot know without a name', ''],
    ['must not find on a prototype', 'constructor'],
  ])('%s does not', (_, name) => {
    expect(supportsArchitecture(name)).toBe(false);
  });
});
