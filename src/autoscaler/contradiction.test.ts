import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { bucketOf } from '../channel/histogram.ts';
import { addToPace, areLonger, contradictsPace, NO_PACE, withoutRecent, type Pace } from './contradiction.ts';

type Sample = readonly [batch: number, milliseconds: number];

/** `pace` after these samples, one in each tick; says whether any of them contradicts. */
function after(samples: readonly Sample[], pace: Pace = NO_PACE): { pace: Pace; isContradicted: boolean } {
  let isContradicted = false;
  let next = pace;
  for (const [batch, time] of samples) {
    next = addToPace(next, { batch, time }, 5_000);
    isContradicted ||= contradictsPace(next);
  }
  return { pace: next, isContradicted };
}

/** Whether minutes of `samples` contradict what an hour of `usual` has taught. */
function isContradicted(usual: readonly Sample[], samples: readonly Sample[]): boolean {
  return after(samples, after(usual).pace).isContradicted;
}

function times(count: number, ...samples: readonly Sample[]): Sample[] {
  return Array.from({ length: count }, (_, index) => samples[index % samples.length] as Sample);
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
    expect(isContradicted(USUAL, times(36, sample))).toBe(expected);
  });

  test('of half a minute tells nothing, nor does that of a minute before nothing served', () => {
    const known = after(USUAL).pace;
    const short = after(times(6, [40, 60]), withoutRecent(known));
    expect(short.isContradicted).toBe(false);
    expect(after(times(6, [40, 60]), withoutRecent(short.pace)).isContradicted).toBe(false);
    expect(after(times(36, [40, 60]), withoutRecent(known)).isContradicted).toBe(true);
  });

  test.each<[string, readonly Sample[]]>([
    [
      'half of the ticks with prompts that take five times as long',
      [
        [40, 30],
        [40, 150],
      ],
    ],
    ['one of ten engines ten times slower', [...times(9, [40, 30]), [40, 300]]],
    ['first a stall', [[40, 30_000], ...times(100, [40, 30])]],
  ])('that scatters never contradicts itself: %s', (_sentence, samples) => {
    expect(after(times(720, ...samples)).isContradicted).toBe(false);
  });

  test('that scatters is contradicted where all of it is three times as long', () => {
    const scattered: readonly Sample[] = [
      [40, 30],
      [40, 60],
    ];
    expect(isContradicted(times(720, ...scattered), times(24, [40, 90], [40, 180]))).toBe(true);
  });

  test('is no other because an engine stalls twice in a minute', () => {
    const stalled: Sample[] = [...times(10, [40, 30]), ...times(2, [40, 30_000]), ...times(24, [40, 30])];
    expect(isContradicted(USUAL, stalled)).toBe(false);
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
