import { describe, expect, test } from '@jest/globals';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { observe, type Counts } from '../channel/histogram.ts';
import { capacityOf, UNLEARNED, type CapacityModel } from './capacity.ts';
import { learnedOf, restoredLoadTimeMs, restoredModel } from './learned.ts';
import { addSample, NO_LINE, tokenTime } from './slowdown.ts';

function learnedModel(): CapacityModel {
  const alone: Counts = new Map();
  for (let index = 0; index < 1_000; index += 1) observe(alone, 500 + 3 * index);
  const line = Array.from({ length: 200 }, (_, index) => 1 + (index % 30)).reduce(
    (all, batch) => addSample(all, batch, 8.5 + 0.25 * batch),
    NO_LINE,
  );
  return { ...UNLEARNED, alone, line, seenConcurrency: 30, promptTokens: 1e6, generatedTokens: 2e5, requests: 1_000 };
}

describe('what was learned', () => {
  test('is the capacity of one replica in requests and tokens', () => {
    const model = learnedModel();
    const capacity = capacityOf(model, TARGETS);
    const learned = learnedOf(model, { key: 'model', capacity, loadTimeMs: 90_000 });
    expect(learned).toMatchObject({ key: 'model', requestsPerSecond: capacity?.requestsPerSecond, loadSeconds: 90 });
    expect(learned.promptTokensPerSecond).toBeCloseTo((capacity?.requestsPerSecond ?? 0) * 1_000, 5);
    expect(learned.outputTokensPerSecond).toBeCloseTo((capacity?.requestsPerSecond ?? 0) * 200, 5);
  });

  test('outlives a restart, nearly', () => {
    const model = learnedModel();
    const capacity = capacityOf(model, TARGETS);
    const again = restoredModel(learnedOf(model, { key: 'model', capacity, loadTimeMs: undefined }));
    expect(tokenTime(again.line).perRequest).toBeCloseTo(tokenTime(model.line).perRequest, 1);
    const ratio = (capacityOf(again, TARGETS)?.requestsPerSecond ?? 0) / (capacity?.requestsPerSecond ?? 1);
    expect(ratio).toBeGreaterThan(0.85);
    expect(ratio).toBeLessThan(1.15);
  });

  test('is nothing where it is nonsense', () => {
    const nonsense = {
      key: 'model',
      tokenBaseMs: Number.NaN,
      tokenPerRequestMs: -1,
      unloadedMeanMs: Number.POSITIVE_INFINITY,
      unloadedP95Ms: 0,
      concurrency: -3,
      loadSeconds: -1,
    };
    expect(restoredModel(nonsense)).toEqual(UNLEARNED);
    expect(restoredLoadTimeMs(nonsense)).toBeUndefined();
  });
});
