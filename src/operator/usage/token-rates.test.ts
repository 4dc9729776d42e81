import { expect, test } from '@jest/globals';
import { TokenRates } from './token-rates.ts';

/** Every 5 s from `fromMs` on, for so many looks. */
function noteEvery5s(rates: TokenRates, fromMs: number, looks: number, generatedTokens: number): number {
  for (let look = 0; look < looks; look += 1) {
    rates.note('a', [{ generatedTokens }, { generatedTokens }], fromMs + look * 5_000);
  }
  return fromMs + (looks - 1) * 5_000;
}

test('is the tokens of all engines over the last two minutes', () => {
  const rates = new TokenRates();
  const first = noteEvery5s(rates, 0, 5, 250);
  expect(rates.perSecond('a', first)).toBeUndefined();
  const later = noteEvery5s(rates, 25_000, 40, 250);
  expect(rates.perSecond('a', later)).toBeCloseTo(100);
  const faster = noteEvery5s(rates, later + 5_000, 24, 500);
  expect(rates.perSecond('a', faster)).toBeCloseTo(200);
  expect(rates.perSecond('b', faster)).toBeUndefined();
});

test('of what is at rest nothing is known, nor where no token was made', () => {
  const rates = new TokenRates();
  const busy = noteEvery5s(rates, 0, 30, 250);
  expect(rates.perSecond('a', busy + 16_000)).toBeUndefined();
  const silent = noteEvery5s(rates, busy + 200_000, 30, 0);
  expect(rates.perSecond('a', silent)).toBeUndefined();
  rates.forget('a');
  expect(rates.perSecond('a', silent)).toBeUndefined();
});
