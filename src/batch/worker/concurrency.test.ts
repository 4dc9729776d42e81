import { describe, expect, test } from '@jest/globals';
import type { DeploymentLoad } from '../gateway.ts';
import { FIRST_CONCURRENCY, nextConcurrency, ownShare } from './concurrency.ts';

function load(parts: Partial<DeploymentLoad> = {}): DeploymentLoad {
  return {
    replicas: 1,
    onlineRequests: 0,
    onlineIdleMs: 60_000,
    batchRequests: 100_000,
    engineWaiting: 0,
    kvCacheUsage: 0.2,
    partial: false,
    ...parts,
  };
}

/** The limits of one look a second. */
function limits(seconds: number, at: (second: number, limit: number) => DeploymentLoad | undefined): number[] {
  let concurrency = FIRST_CONCURRENCY;
  return Array.from({ length: seconds }, (_, second) => {
    concurrency = nextConcurrency(concurrency, at(second, concurrency.limit), second * 1000);
    return concurrency.limit;
  });
}

describe('nextConcurrency', () => {
  test('doubles, each time after what engines said of the last step is known', () => {
    expect([...new Set(limits(13, () => load()))]).toEqual([8, 16, 32, 64, 128, 256, 512]);
  });

  test('settles where an engine is full: its places are taken, and a few wait', () => {
    const full = 200;
    const at = (_: number, limit: number): DeploymentLoad =>
      load({ batchRequests: limit, engineWaiting: Math.max(0, limit - full) });
    const seen = limits(1200, at).slice(120);
    expect(Math.max(...seen)).toBeLessThan(full * 1.1);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(full);
  });

  test('does not take for full what waits for a moment, as after requests that ended together', () => {
    const seen = limits(13, (second, limit) =>
      load({ batchRequests: limit, engineWaiting: second % 2 === 1 ? limit : 0 }),
    );
    expect(seen.at(-1)).toBe(512);
  });

  test('does not grow beyond what it uses, or while the cache is nearly full', () => {
    expect(limits(60, () => load({ batchRequests: 8 })).at(-1)).toBe(16);
    expect(limits(60, () => load({ kvCacheUsage: 0.95 })).at(-1)).toBe(1);
  });

  test.each([
    ['few online requests leave about ten a replica', load({ replicas: 2, onlineRequests: 4, onlineIdleMs: 0 }), 21],
    ['many bear more beside them', load({ onlineRequests: 130, onlineIdleMs: 0 }), 30],
    ['a pause of seconds is not the end of them', load({ onlineIdleMs: 9000 }), 10],
    ['a gateway that is silent may have some', load({ partial: true }), 10],
    ['one request wakes a deployment', load({ replicas: 0 }), 1],
  ])('%s', (_sentence, present, limit) => {
    expect(nextConcurrency({ ...FIRST_CONCURRENCY, limit: 500, changedAtMs: 0 }, present, 1000).limit).toBe(limit);
  });

  test('is small while no gateway answers', () => {
    expect(nextConcurrency({ ...FIRST_CONCURRENCY, limit: 500, changedAtMs: 0 }, undefined, 1000).limit).toBe(8);
  });
});

test('of two processes the one with the earliest window gets all but one', () => {
  expect([
    ownShare(100, 0, false),
    ownShare(100, 99, true),
    ownShare(100, 99, false),
    ownShare(100, 200, false),
  ]).toEqual([100, 99, 1, 1]);
});
