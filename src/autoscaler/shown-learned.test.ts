import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readDefinitions } from '../api/schema.ts';
import { hasMoved, readLearned, showLearned } from './shown-learned.ts';

const LEARNED = {
  key: '5f1d3c0a',
  requestsPerSecond: 3.71449,
  concurrency: 0.00012345,
  samples: 350,
  promptTokensPerSecond: 12_345.6,
  outputTokensPerSecond: 100,
  tokenBaseMs: 8.5,
  tokenPerRequestMs: 0,
  unloadedMeanMs: 812.4,
  unloadedP95Ms: 1_900,
  loadSeconds: 94.6,
  recentRequests: 41_000.4,
  recentLateRequests: 1_600,
  recentSeconds: 4_900,
  recentTime: Date.UTC(2026, 10, 22, 11),
  targetLatencyP95Ms: 5_000,
  holdSeconds: 780,
  holdReplicas: 6,
  holdTime: Date.UTC(2026, 10, 22, 8),
  surgeRequestsPerSecond: 40,
  surgeLateRequests: 900,
  surgeTime: Date.UTC(2026, 10, 22, 10, 0, 0, 400),
  carriedPercent: 85.3,
  carriedTime: Date.UTC(2026, 10, 22, 9),
};

test('what was learned is shown rounded, and read again as it is shown', () => {
  const shown = showLearned(LEARNED);
  expect(shown).toEqual({
    key: '5f1d3c0a',
    requestsPerSecond: '3.71',
    concurrency: '0.000123',
    samples: 350,
    promptTokensPerSecond: '12300',
    outputTokensPerSecond: '100',
    tokenBaseMs: '8.5',
    tokenPerRequestMs: '0',
    unloadedMeanMs: 812,
    unloadedP95Ms: 1_900,
    loadSeconds: 95,
    recentRequests: 41_000,
    recentLateRequests: 1_600,
    recentSeconds: 4_900,
    recentTime: '2026-11-22T11:00:00Z',
    targetLatencyP95Ms: 5_000,
    holdSeconds: 780,
    holdReplicas: 6,
    holdTime: '2026-11-22T08:00:00Z',
    surgeRequestsPerSecond: '40',
    surgeLateRequests: 900,
    surgeTime: '2026-11-22T10:00:00Z',
    carriedPercent: 85,
    carriedTime: '2026-11-22T09:00:00Z',
  });
  expect(showLearned(readLearned(shown))).toEqual(shown);
});

test('the API has a field for all of it, and for nothing else', async () => {
  const definitions = await readDefinitions(join(import.meta.dirname, '../../crds'));
  const status = definitions.find(({ kind }) => kind === 'InferenceDeployment')?.schema.properties?.['status'];
  const fields = status?.properties?.['scaling']?.properties?.['learned']?.properties;
  expect(Object.keys(fields ?? {}).toSorted()).toEqual(Object.keys(showLearned(LEARNED) ?? {}).toSorted());
});

test('whatever number was learned, the API accepts what is shown', () => {
  fc.assert(
    fc.property(fc.double(), (number) => {
      const { concurrency, loadSeconds, surgeTime } =
        showLearned({ concurrency: number, loadSeconds: number, surgeTime: number }) ?? {};
      if (!Number.isFinite(number) || number < 0) {
        expect([concurrency, loadSeconds, surgeTime]).toEqual([undefined, undefined, undefined]);
      } else {
        expect(surgeTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        expect(concurrency).toMatch(/^[0-9]+(\.[0-9]+)?$/);
        expect(concurrency?.length).toBeLessThanOrEqual(16);
        expect(loadSeconds).toBeLessThan(2 ** 31);
      }
    }),
  );
});

test('what somebody else wrote there is left out where it is no number', () => {
  const shown = { requestsPerSecond: 'many', concurrency: '-1', surgeTime: 'soon', loadSeconds: 9 };
  expect(readLearned(shown)).toEqual({ loadSeconds: 9 });
  expect(readLearned(undefined)).toEqual({});
});

test('moves by a tenth of what it is of a replica, or with what it was learned of', () => {
  const before = showLearned({ key: 'a', requestsPerSecond: 10, concurrency: 1 });
  const moved = (more: object): boolean =>
    hasMoved(before, showLearned({ key: 'a', requestsPerSecond: 10.9, concurrency: 1.09, ...more }));
  expect(moved({})).toBe(false);
  for (const more of [{ requestsPerSecond: 11 }, { concurrency: 0.89 }, { key: 'b' }]) {
    expect(moved(more)).toBe(true);
  }
  expect(hasMoved(undefined, showLearned({ loadSeconds: 3 }))).toBe(true);
  expect(hasMoved(before, showLearned({ key: 'b' }))).toBe(false);
  expect(hasMoved(showLearned({ loadSeconds: 0 }), showLearned({ loadSeconds: 0 }))).toBe(false);
});

/** With something else that was learned and stays as it is. */
function shownWith(learned: object): ReturnType<typeof showLearned> {
  return showLearned({ key: 'a', loadSeconds: 9, ...learned });
}

function lateShown(
  recentRequests: number,
  recentLateRequests: number,
  more: object = {},
): ReturnType<typeof showLearned> {
  const counts = { recentRequests, recentLateRequests, recentSeconds: 3_600, recentTime: NOW_MS };
  return shownWith({ targetLatencyP95Ms: 5_000, ...counts, ...more });
}

const NOW_MS = Date.UTC(2026, 10, 22, 10);

test.each([
  ['as many of them', lateShown(1_000, 40), lateShown(1_500, 60), false],
  ['one in a hundred more of many', lateShown(10_000, 400), lateShown(10_000, 500), true],
  ['one in a hundred more, which is chance of so few', lateShown(1_000, 40), lateShown(1_000, 50), false],
  ['more than chance', lateShown(1_000, 40), lateShown(1_000, 60), true],
  ['fewer, since it is long ago', lateShown(10_000, 900), lateShown(10_000, 790), true],
  ['twice as many requests as were known', lateShown(1_000, 40), lateShown(2_000, 80), true],
  ['half as many', lateShown(1_000, 40), lateShown(500, 20), true],
  ['hardly any where there were many', lateShown(1_000, 40), lateShown(9, 0), true],
  ['a share of few', lateShown(20, 1), lateShown(30, 9), false],
  ['the first hundred', lateShown(0, 0), lateShown(100, 0), true],
  ['the first few', shownWith({}), lateShown(99, 9), false],
  ['the first few of all', undefined, showLearned({ key: 'a', recentRequests: 99, targetLatencyP95Ms: 5_000 }), false],
  ['the last few, which have faded', lateShown(2, 0), shownWith({}), false],
  ['by another target', lateShown(1_000, 40), lateShown(1_000, 40, { targetLatencyP95Ms: 5_001 }), true],
  ['as many as an hour before', lateShown(1_000, 40), lateShown(1_000, 40, { recentTime: NOW_MS + 3_500_000 }), false],
  [
    'as many, of which half have faded',
    lateShown(1_000, 40),
    lateShown(1_000, 40, { recentTime: NOW_MS + 3_600_000 }),
    true,
  ],
])('requests that were late move by their share: %s', (_, before, after, moved) => {
  expect(hasMoved(before, after)).toBe(moved);
});

test('a time moves by a minute', () => {
  const before = shownWith({ surgeTime: 1e12 });
  expect(hasMoved(before, shownWith({ surgeTime: 1e12 + 59_000 }))).toBe(false);
  expect(hasMoved(before, shownWith({ surgeTime: 1e12 + 60_000 }))).toBe(true);
});
