import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { checkFields } from './fields.ts';

/** The param of the error, undefined where there is none. */
function refused(body: Record<string, unknown>): string | null | undefined {
  try {
    checkFields(body, DEFAULT_LIMITS);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    expect(error.status).toBe(400);
    expect(error.message).toContain(`"${error.param}"`);
    return error.param;
  }
  return undefined;
}

function user(content: unknown): Record<string, unknown> {
  return {
    messages: [
      { role: 'system', content: 'x' },
      { role: 'user', content },
    ],
  };
}

describe('refused fields', () => {
  test.each<[string, Record<string, unknown>]>([
    ['chat_template', { chat_template: '{{ x }}' }],
    ['chat_template', { chat_template: '' }],
    ['chat_template_kwargs.chat_template', { chat_template_kwargs: { chat_template: 'x', enable_thinking: true } }],
    ['prompt_embeds', { prompt_embeds: 'AAAA' }],
    ['mm_processor_kwargs', { mm_processor_kwargs: {} }],
    ['kv_transfer_params', { kv_transfer_params: {} }],
    ['vllm_xargs', { vllm_xargs: { kv_transfer_params: 1 } }],
    ['priority', { priority: -999 }],
    ['chat_template_kwargs.tokenize', { chat_template_kwargs: { tokenize: true } }],
    ['n', { prompt: Array.from({ length: 1000 }, () => 'x'), n: 64 }],
    ['structured_outputs.backend', { structured_outputs: { backend: 'outlines', json: {} } }],
    ['guided_decoding_backend', { guided_decoding_backend: 'outlines' }],
    ['messages[1].content[0].image_url', user([{ type: 'image_url', image_url: { url: 'http://10.0.0.1/' } }])],
    ['messages[1].content[0].image_url', user([{ type: 'image_url', image_url: 'https://example.com/a.png' }])],
    ['messages[1].content[0].image_url', user([{ image_url: { url: 'file:///etc/passwd' } }])],
    ['messages[1].content[0].image_url', user([{ image_url: { url: ' data:image/png;base64,AA' } }])],
    ['messages[1].content[0].image_url', user([{ image_url: {} }])],
    ['messages[1].content[1].video_url', user([{ type: 'text', text: 'a' }, { video_url: { url: 'http://a/' } }])],
    ['messages[1].content[0].audio_url', user([{ audio_url: 'ftp://a/' }])],
    ['messages[1].content[0].image_embeds', user([{ type: 'image_embeds', image_embeds: 'AAAA' }])],
  ])('%s', (param, body) => {
    expect(refused(body)).toBe(param);
  });
});

describe('capped fields', () => {
  test.each<[string, unknown[], unknown[]]>([
    ['n', [0, 65, 1.5, '2', true, [], -1], [1, 64, null]],
    ['best_of', [0, 65, '2'], [1]],
    ['logprobs', [-1, 21, '5'], [true, false, 0, 20]],
    ['top_logprobs', [-1, 21, '5', true], [0, 20]],
    ['prompt_logprobs', [-1, 21], [0]],
    ['max_tokens', [-1, 2 ** 40, '10', 1.5], [0, 1, 4096]],
    ['max_completion_tokens', [-1, 2 ** 40], [1]],
    ['min_tokens', [-1, 2 ** 40], [0]],
    ['stream', ['true', 1, 0, {}], [true, false, null]],
    ['tools', [Array(129).fill(null)], [Array(128).fill(null)]],
    ['messages', [Array(4097).fill(null)], [Array(4096).fill(null)]],
    ['prompt', [Array(2049).fill('a'), Array.from({ length: 2049 }, () => [1])], ['a', Array(9000).fill(1)]],
    ['input', [Array(2049).fill('a')], ['a', Array(2048).fill('a')]],
  ])('%s', (field, bad, good) => {
    for (const value of bad) expect([value, refused({ [field]: value })]).toEqual([value, field]);
    for (const value of good) expect([value, refused({ [field]: value })]).toEqual([value, undefined]);
  });
});

describe('everything else', () => {
  test.each<[string, Record<string, unknown>]>([
    ["vLLM's extras", { top_k: 5, ignore_eos: true, structured_outputs: { json: {} }, min_p: 0.1 }],
    ['null for a refused field', { chat_template: null, prompt_embeds: null, chat_template_kwargs: null }],
    ['harmless template arguments', { chat_template_kwargs: { enable_thinking: false } }],
    ['inline media', user([{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }])],
    ['nonsense that the engine will refuse', { messages: 'x', tools: 7, structured_outputs: 'x' }],
    ['messages that are none', { messages: [null, 7, { content: [null, 'x'] }] }],
  ])('%s passes', (_, body) => {
    expect(refused(body)).toBeUndefined();
  });
});
