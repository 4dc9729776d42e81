import { describe, expect, test } from '@jest/globals';
import { parseBody } from './body.ts';
import { estimateTokens } from './estimate.ts';

describe('parseBody', () => {
  test('a megabyte of prompt passes, also with brackets and commas inside its text', () => {
    const content = 'a, [b], {"c": 1}, \\" '.repeat(60_000);
    const bytes = Buffer.from(JSON.stringify({ messages: [{ content }] }));
    expect(bytes.length).toBeGreaterThan(1_000_000);
    expect(parseBody(bytes)).toEqual({ messages: [{ content }] });
  });

  test.each([
    ['nested lists', '['.repeat(400_000)],
    ['empty lists', `{"a":[${'[],'.repeat(300_000)}[]]}`],
    ['empty objects', `{"a":[${'{},'.repeat(300_000)}{}]}`],
  ])('megabytes of %s are refused before they are parsed', (_sentence, text) => {
    const started = performance.now();
    expect(() => parseBody(Buffer.from(text))).toThrow(/too many lists, objects and values/);
    expect(performance.now() - started).toBeLessThan(200);
  });
});

describe('estimateTokens', () => {
  test.each([
    ['a claim of a million tokens counts as a long answer', { max_tokens: 1_000_000 }, 400, 100 + 1024],
    ['each prompt of a list has an answer', { prompt: ['a', 'b'], max_tokens: 10 }, 400, 100 + 20],
    ['token ids are one prompt', { prompt: [1, 2, 3], max_tokens: 10 }, 400, 100 + 10],
    ['no request looks like a full replica', { n: 64, max_tokens: 1_000_000 }, 400, 65_536],
  ])('%s', (_sentence, body, bytes, tokens) => {
    expect(estimateTokens(body, bytes, true)).toBe(tokens);
  });
});
