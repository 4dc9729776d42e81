import { beforeEach, describe, expect, test } from '@jest/globals';
import { addInterval, NO_REGRET, type Regret, type RegretInput } from './regret.ts';

const MINUTE_MS = 60_000;
let regret: Regret;
let nowMs: number;

beforeEach(() => {
  regret = NO_REGRET;
  nowMs = 0;
});

function minutes(count: number, { isBad = false, ...input }: Partial<RegretInput> & { isBad?: boolean }): void {
  for (let minute = 0; minute < count; minute += 1) {
    nowMs += MINUTE_MS;
    const { ready = 1 } = input;
    regret = addInterval(regret, {
      ready,
      needed: 1,
      ended: { isBad, late: isBad ? 60 : 2, leastReady: ready },
      lateLeft: 1_000,
      loadTimeMs: 120_000,
      intervalMs: MINUTE_MS,
      nowMs,
      ...input,
    });
  }
}

/** Returns the hold after a return from so many minutes. */
function afterAbsence(absence: number, input: Partial<RegretInput>): number {
  regret = NO_REGRET;
  minutes(10, { ready: 8, needed: 8 });
  minutes(absence, { ready: 2, needed: 2 });
  minutes(1, { ready: 2, needed: 8, isBad: true, ...input });
  return regret.holdMs;
}

describe('replicas are kept the next time', () => {
  test('twice as long as they were missed', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, isBad: true });
    expect(regret.holdMs).toBeCloseTo(2 * 11 * MINUTE_MS, -4);
  });

  test('counted from when the load went, not from when they were let go', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(5, { ready: 8, needed: 2 });
    minutes(5, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, isBad: true });
    expect(regret.holdMs).toBeCloseTo(2 * 11 * MINUTE_MS, -4);
  });

  test('also where they serve again when the bad minute is over', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 0, needed: 0 });
    nowMs += 30_000;
    const input = { lateLeft: 1_000, loadTimeMs: 120_000, intervalMs: 30_000, needed: 8 };
    regret = addInterval(regret, { ...input, ready: 0, ended: undefined, nowMs });
    expect(regret.holdMs).toBe(0);
    nowMs += 30_000;
    regret = addInterval(regret, { ...input, ready: 8, ended: { isBad: true, late: 60, leastReady: 0 }, nowMs });
    expect(regret.holdMs).toBeCloseTo(2 * 10.5 * MINUTE_MS, -4);
  });

  test('over a longer absence only where no more such minutes may be late', () => {
    expect(afterAbsence(45, { lateLeft: 50 })).toBeCloseTo(2 * 46 * MINUTE_MS, -4);
    expect(afterAbsence(45, { lateLeft: 70 })).toBe(0);
  });

  test('nor then over more than sixty starts, or for longer', () => {
    expect(afterAbsence(45, { lateLeft: 50, loadTimeMs: 30_000 })).toBe(0);
    expect(afterAbsence(20, { lateLeft: 50, loadTimeMs: 30_000 })).toBeCloseTo(30 * MINUTE_MS, -4);
  });

  test.each([
    ['there never were that many', () => minutes(20, { ready: 2, needed: 2 })],
    [
      'it was longer ago than their start is worth',
      () => {
        minutes(10, { ready: 8, needed: 8 });
        minutes(60, { ready: 2, needed: 2 });
      },
    ],
    [
      'far more is needed than there ever were',
      () => {
        minutes(10, { ready: 3, needed: 3 });
        minutes(10, { ready: 2, needed: 2 });
      },
    ],
  ])('but not where %s', (_, before) => {
    before();
    minutes(1, { ready: 2, needed: 8, isBad: true });
    expect(regret.holdMs).toBe(0);
  });

  test('over a longer absence not of one that slept: whoever wakes it waits for its start', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(45, { ready: 0, needed: 0 });
    minutes(1, { ready: 0, needed: 8, isBad: true, lateLeft: 0 });
    expect(regret.holdMs).toBe(0);
  });

  test('by a short absence of most of them, whatever there was long ago', () => {
    minutes(10, { ready: 10, needed: 10 });
    minutes(42, { ready: 7, needed: 7 });
    minutes(8, { ready: 3, needed: 3 });
    minutes(1, { ready: 3, needed: 9, isBad: true });
    expect(regret.holdMs).toBeCloseTo(2 * 9 * MINUTE_MS, -4);
  });

  test('by an absence that may be, whatever there was before that', () => {
    minutes(10, { ready: 10, needed: 10 });
    minutes(40, { ready: 8, needed: 8 });
    minutes(14, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 10, isBad: true, lateLeft: 0, loadTimeMs: 30_000 });
    expect(regret.holdMs).toBeCloseTo(30 * MINUTE_MS, -4);
  });

  test('for a few hours', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, isBad: true });
    const { holdMs } = regret;
    minutes(8 * 60, { ready: 2, needed: 2 });
    expect(regret.holdMs).toBeCloseTo(holdMs / 2, -3);
  });
});
