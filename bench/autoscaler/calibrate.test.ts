import { expect, test } from '@jest/globals';
import { highestRps, unloadedP95Ms } from './calibrate.ts';
import type { EngineModel } from './engine-model.ts';

/** One request at a time, a millisecond a token. */
const ENGINE: EngineModel = {
  baseMs: 1,
  perContextTokenMs: 0,
  perPromptTokenMs: 0,
  gpus: 1,
  batchedTokens: 1_000_000,
  seats: 1,
  kvCacheTokens: Infinity,
};

test('the unloaded p95 is what 95 of 100 take alone', () => {
  const sizes = Array.from({ length: 100 }, (_, index) => ({ promptTokens: 1, outputTokens: 10 * (index + 1) }));
  expect(unloadedP95Ms(ENGINE, sizes)).toBe(950);
});

test('the highest rate is that of theory: in M/D/1 95 of 100 wait at most 6.6 services at a load of 0.8', () => {
  const sizes = [{ promptTokens: 1, outputTokens: 100 }];
  const rps = highestRps(ENGINE, sizes, 100 * (1 + mD1WaitP95(0.8)), 1);
  expect(rps / 8).toBeGreaterThan(0.96);
  expect(rps / 8).toBeLessThan(1.04);
});

test('a target below the unloaded latency is met at no rate', () => {
  expect(highestRps(ENGINE, [{ promptTokens: 1, outputTokens: 100 }], 99, 1)).toBe(0);
});

/** The exact tail of the wait in M/D/1 (Erlang): P(W ≤ t) = (1 − ρ) Σ (ρ(k − t))^k e^(−ρ(k − t)) / k!, for t in services. */
function mD1WaitP95(load: number): number {
  const within = (time: number) => {
    let sum = 0;
    for (let count = 0; count <= Math.floor(time); count++) {
      const exponent = load * (count - time);
      let term = Math.exp(-exponent);
      for (let factor = 1; factor <= count; factor++) term *= exponent / factor;
      sum += term;
    }
    return (1 - load) * sum;
  };
  let time = 0;
  while (within(time) < 0.95) time += 0.01;
  return time;
}
