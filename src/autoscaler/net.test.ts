import { describe, expect, test } from '@jest/globals';
import { bucketOf } from '../channel/histogram.ts';
import { recentP95Ms, saturationCandidate, type LatencySlot } from './net.ts';
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

describe('the recent p95', () => {
  const NOW_MS = 10_000_000;
  const seen = { readySinceMs: 0, targetMs: 5_000, nowMs: NOW_MS };

  /** The last ten minutes, of so many requests of 8 s in each 5 s, the oldest first. */
  function slots(completed: (agoMs: number) => number): LatencySlot[] {
    return Array.from({ length: 120 }, (_, index) => (119 - index) * 5_000).map((agoMs) => ({
      endMs: NOW_MS - agoMs,
      latency: new Map([[bucketOf(8_000), completed(agoMs)]]),
    }));
  }

  test('of few requests is that of as many minutes as prove it', () => {
    expect(
      recentP95Ms(
        slots(() => 1),
        { ages: new Map() },
        seen,
      ),
    ).toBeGreaterThan(7_000);
    expect(
      recentP95Ms(
        slots(() => 0.3),
        { ages: new Map() },
        seen,
      ),
    ).toBeUndefined();
  });

  test('of a load that has gone, or has become far less, is none', () => {
    expect(
      recentP95Ms(
        slots((agoMs) => (agoMs < 60_000 ? 0 : 50)),
        { ages: new Map() },
        seen,
      ),
    ).toBeUndefined();
    expect(
      recentP95Ms(
        slots((agoMs) => (agoMs < 120_000 ? 1 : 50)),
        { ages: new Map() },
        seen,
      ),
    ).toBeUndefined();
  });

  test('of a load that has just ended is what it was within the last minute', () => {
    expect(
      recentP95Ms(
        slots((agoMs) => (agoMs < 30_000 ? 0 : 50)),
        { ages: new Map() },
        seen,
      ),
    ).toBeGreaterThan(7_000);
  });
});
