import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { bucketOf } from '../channel/histogram.ts';
import { addToPace, addVote, areLonger, contradictsPace, NO_PACE, NO_VOTES, type Pace } from './contradiction.ts';

type Sample = readonly [batch: number, milliseconds: number];

function paceOf(samples: readonly Sample[]): Pace {
  return samples.reduce((pace, [batch, milliseconds]) => addToPace(pace, batch, milliseconds), NO_PACE);
}

/** Whether `samples` contradict what an hour of `usual` has taught. */
function isContradicted(usual: readonly Sample[], samples: readonly Sample[]): boolean {
  const pace = paceOf(usual);
  return contradictsPace(
    samples.reduce((votes, [batch, milliseconds]) => addVote(votes, batch, milliseconds, pace), NO_VOTES),
  );
}

function times(count: number, sample: Sample): Sample[] {
  return Array.from({ length: count }, () => sample);
}

const USUAL = times(720, [40, 30]);

describe('the time of a token', () => {
  test('of one engine never contradicts itself, however its batches come', () => {
    const batches = fc.array(fc.double({ min: 0.5, max: 256, noNaN: true }), { minLength: 12, maxLength: 30 });
    const line = fc.record({
      base: fc.double({ min: 0, max: 100, noNaN: true }),
      perRequest: fc.double({ min: 0, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(line, batches, batches, ({ base, perRequest }, before, after) => {
        fc.pre(base + perRequest > 0.1);
        const samples = (all: number[]): Sample[] => all.map((batch) => [batch, base + perRequest * batch]);
        expect(isContradicted(samples(before), samples(after))).toBe(false);
      }),
    );
  });

  test.each<[string, boolean, Sample]>([
    ['twice as long in the same batch', true, [40, 60]],
    ['half as long in the same batch', true, [40, 15]],
    ['a third more in the same batch', false, [40, 40]],
    ['twice as long in a batch twice as large', false, [80, 60]],
    ['four times as long in a batch twice as large', true, [80, 120]],
    ['half as long in half the batch', false, [20, 15]],
    ['a quarter as long in half the batch', true, [20, 7.5]],
    ['twice as long in a tenth of the batch', true, [4, 60]],
  ])('%s contradicts: %s', (_sentence, expected, sample) => {
    expect(isContradicted(USUAL, times(12, sample))).toBe(expected);
  });

  test('of less than a minute tells nothing', () => {
    expect(isContradicted(USUAL, times(11, [40, 300]))).toBe(false);
    expect(isContradicted(times(11, [40, 30]), times(12, [40, 300]))).toBe(false);
  });

  test('is no other because an engine stalls twice in a minute', () => {
    expect(isContradicted(USUAL, [...times(10, [40, 30]), ...times(2, [40, 30_000])])).toBe(false);
    // Nor is it afterwards.
    expect(isContradicted([...USUAL, ...times(2, [40, 30_000])], times(12, [40, 30]))).toBe(false);
  });
});

describe('how long requests take alone', () => {
  const usual = new Map([
    [bucketOf(1_000), 500],
    [bucketOf(4_000), 500],
  ]);

  test.each([
    ['three times as long are longer', true, 3_000, 12_000, 30],
    ['a third as long are not', false, 333, 1_333, 30],
    ['half as long again may be chance', false, 1_500, 6_000, 30],
    ['too few requests tell nothing', false, 3_000, 12_000, 29],
  ])('%s', (_sentence, expected, short, long, each) => {
    const recent = new Map([
      [bucketOf(short), each],
      [bucketOf(long), each],
    ]);
    expect(areLonger(recent, usual)).toBe(expected);
  });

  test('nothing is longer than nothing', () => {
    expect(areLonger(usual, new Map())).toBe(false);
  });
});
