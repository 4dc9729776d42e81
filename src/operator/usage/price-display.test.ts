import { expect, test } from '@jest/globals';
import { PriceDisplay } from './price-display.ts';

test('shows two digits, moves by a tenth and at most once a minute', () => {
  const display = new PriceDisplay();
  const show = (shown: string | undefined, price: number | undefined, nowMs: number): string | undefined =>
    display.show('a', shown, price, nowMs).shown;
  expect(show(undefined, 0.4249, 0)).toBe('0.42');
  expect(show('0.42', 0.9, 59_000)).toBe('0.42');
  expect(show('0.42', 0.9, 60_000)).toBe('0.9');
  expect(show('0.9', 0.98, 200_000)).toBe('0.9');
  expect(show('0.9', 123.4, 200_000)).toBe('120');
  expect(show('120', 0.000_123_4, 300_000)).toBe('0.00012');
});

test('a load that ends takes its price with it after a while, and not before', () => {
  const display = new PriceDisplay();
  display.show('a', undefined, 1, 0);
  expect(display.show('a', '1', undefined, 170_000)).toEqual({ shown: '1', unsettled: true });
  expect(display.show('a', '1', undefined, 180_000)).toEqual({ shown: undefined, unsettled: false });
  expect(display.show('a', undefined, undefined, 180_000)).toEqual({ shown: undefined, unsettled: false });
});

test('a new leader keeps what is shown until it knows better', () => {
  const display = new PriceDisplay();
  expect(display.show('a', '1', undefined, 1e9)).toEqual({ shown: '1', unsettled: true });
  expect(display.show('a', '1', 1.04, 1e9 + 30_000)).toEqual({ shown: '1', unsettled: true });
});

test('what hardly a token came of has no price', () => {
  expect(new PriceDisplay().show('a', undefined, Infinity, 0).shown).toBeUndefined();
});
