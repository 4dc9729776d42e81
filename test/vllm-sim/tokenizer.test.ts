import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { answerLength, answerToken, tokenId, tokenize } from './tokenizer.ts';

describe('tokens', () => {
  test('joined give the text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom('', '<|user|>', '<|', '\n', '  '), (text, mark) => {
        const whole = `${text}${mark}${text}`;
        expect(tokenize(whole).join('')).toBe(whole);
      }),
    );
  });

  test('are near four characters', () => {
    expect(tokenize('<|user|>\nTell me everything.<|end|>')).toEqual([
      '<|user|>',
      '\n',
      'Tell',
      ' me',
      ' ever',
      'ythi',
      'ng.',
      '<|end|>',
    ]);
  });

  test('of an answer are split again as they were generated', () => {
    const answer = Array.from({ length: 500 }, (_, index) => answerToken('seed', index));
    expect(tokenize(answer.join(''))).toEqual(answer);
  });

  test('have ids of a vocabulary, and answers lengths around the mean', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(tokenId(text)).toBeLessThan(32_000);
        expect(answerLength(text, 64)).toBeGreaterThanOrEqual(32);
        expect(answerLength(text, 64)).toBeLessThanOrEqual(96);
      }),
    );
  });
});
