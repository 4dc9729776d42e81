import { describe, expect, test } from '@jest/globals';
import { usageOf } from './token-usage.ts';

const of = (text: string) => usageOf(Buffer.from(text));
const USAGE = '{"prompt_tokens":7,"total_tokens":10,"completion_tokens":3,"prompt_tokens_details":null}';

describe('the usage of a whole answer', () => {
  test.each([
    ['as vLLM writes it', `{"choices":[{"message":{"content":"a"}}],"usage":${USAGE},"kv_transfer_params":null}`],
    ['with spaces', `{"choices": [], "usage":  ${USAGE} }`],
    ['before the choices', `{"usage":${USAGE},"choices":[{"text":"a"}]}`],
    ['where a text says so, too', `{"usage":${USAGE},"text":${JSON.stringify(`"usage":{"prompt_tokens":1}`)}}`],
    ['where another field has that name', `{"usage":${USAGE},"x":{"usage":null},"y":{"usage":{"a":1}}}`],
  ])('%s', (_, text) => {
    expect(of(text)).toEqual({ promptTokens: 7, cachedTokens: 0, completionTokens: 3 });
  });

  test.each([null, '{"cached_tokens":null,"created_cache_tokens":null,"multimodal_tokens":{"image":3}}'])(
    'tells none cached where its details are %s',
    (details) => {
      const usage = `{"prompt_tokens":7,"completion_tokens":null,"prompt_tokens_details":${details}}`;
      expect(of(`{"usage":${usage},"prompt_logprobs":null}`)).toEqual({
        promptTokens: 7,
        cachedTokens: 0,
        completionTokens: 0,
      });
    },
  );

  test('tells cached tokens, and of embeddings no completion', () => {
    expect(of('{"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}}')).toEqual({
      promptTokens: 7,
      cachedTokens: 5,
      completionTokens: 0,
    });
  });

  test.each([
    '{}',
    '',
    '{"usage":null}',
    '{"usage":{}}',
    '{"usage":{"prompt_tokens":-1}}',
    '{"usage":{"prompt_tokens":"7"}}',
    '{"usage":{"prompt_tokens":1e300}}',
    '{"usage":{"prompt_tokens":9007199254740991}}',
    '{"usage":{"prompt_tokens":7',
    '"usage":',
    JSON.stringify({ text: '"usage":{"prompt_tokens":1}' }),
  ])('%j tells none', (text) => {
    expect(of(text)).toBeUndefined();
  });
});
