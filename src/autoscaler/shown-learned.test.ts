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
      const { concurrency, loadSeconds } = showLearned({ concurrency: number, loadSeconds: number }) ?? {};
      if (!Number.isFinite(number) || number < 0) expect([concurrency, loadSeconds]).toEqual([undefined, undefined]);
      else {
        expect(concurrency).toMatch(/^[0-9]+(\.[0-9]+)?$/);
        expect(concurrency?.length).toBeLessThanOrEqual(16);
        expect(loadSeconds).toBeLessThan(2 ** 31);
      }
    }),
  );
});

test('what somebody else wrote there is left out where it is no number', () => {
  expect(readLearned({ requestsPerSecond: 'many', concurrency: '-1', loadSeconds: 9 })).toEqual({ loadSeconds: 9 });
  expect(readLearned(undefined)).toEqual({});
});

test('moves by a tenth of any of its numbers, or with what it was learned of', () => {
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
