import { expect, test } from '@jest/globals';
import { saturationCandidate } from './net.ts';
import type { EngineSample } from './observation.ts';

const COUNTS = { current: 2, ready: 2, pending: 0, blocked: 0, blockedBy: undefined, startTimesMs: [] };
const ARRIVALS = [{ endMs: 5_000, intervalMs: 5_000, arrivals: 10 }];

function engine(more: Partial<EngineSample>): EngineSample {
  const quiet = { waiting: 0, kvCacheUsage: 0, promptTokens: 0, generatedTokens: 0 };
  return { podUid: 'pod', running: 1, intervalMs: 5_000, ...quiet, ...more };
}

const candidate = (more: Partial<EngineSample>): number =>
  saturationCandidate({ waitedBefore: 100, arrivals: ARRIVALS }, { engines: [engine(more)] }, COUNTS, 1_000);

test('engines that are full want a replica more, unless batches fill them', () => {
  expect(candidate({ waiting: 100 })).toBe(3);
  expect(candidate({ waiting: 100, batchShare: 1 })).toBe(0);
  expect(candidate({ kvCacheUsage: 1 })).toBe(3);
  expect(candidate({ kvCacheUsage: 1, batchShare: 0.5 })).toBe(0);
});
