import { beforeEach, describe, expect, test } from '@jest/globals';
import { addInterval, NO_REGRET, type Regret, type RegretInput } from './regret.ts';

const MINUTE_MS = 60_000;
let regret: Regret;
let nowMs: number;

beforeEach(() => {
  regret = NO_REGRET;
  nowMs = 0;
});

function minutes(count: number, input: Partial<RegretInput>): void {
  for (let minute = 0; minute < count; minute += 1) {
    nowMs += MINUTE_MS;
    regret = addInterval(regret, {
      ready: 1,
      needed: 1,
      completed: 100,
      late: 2,
      inFlight: 5,
      lateInFlight: 0,
      loadTimeMs: 120_000,
      intervalMs: MINUTE_MS,
      nowMs,
      ...input,
    });
  }
}

const bad = { late: 60 };

describe('replicas are kept the next time', () => {
  test('twice as long as they were missed', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, ...bad });
    expect(regret.holdMs).toBeCloseTo(2 * 11 * MINUTE_MS, -4);
  });

  test('counted from when the load went, not from when they were let go', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(5, { ready: 8, needed: 2 });
    minutes(5, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, ...bad });
    expect(regret.holdMs).toBeCloseTo(2 * 11 * MINUTE_MS, -4);
  });

  test('for a minute of which one request in six was late', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, late: 20, inFlight: 20 });
    expect(regret.holdMs).toBeGreaterThan(0);
  });

  test('also where nothing completed, since nothing served', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 0, needed: 0, completed: 0, late: 0, inFlight: 0 });
    minutes(1, { ready: 0, needed: 8, completed: 0, late: 0, inFlight: 500, lateInFlight: 400 });
    expect(regret.holdMs).toBeGreaterThan(10 * MINUTE_MS);
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
    minutes(1, { ready: 2, needed: 8, ...bad });
    expect(regret.holdMs).toBe(0);
  });

  test('nor for a few requests, which whoever wakes a deployment by hand knows to wait for', () => {
    minutes(10, { ready: 1, needed: 1, completed: 3, late: 0, inFlight: 0 });
    minutes(10, { ready: 0, needed: 0, completed: 0, late: 0, inFlight: 0 });
    minutes(1, { ready: 0, needed: 1, completed: 0, late: 0, inFlight: 3, lateInFlight: 3 });
    expect(regret.holdMs).toBe(0);
  });

  test('for a few hours', () => {
    minutes(10, { ready: 8, needed: 8 });
    minutes(10, { ready: 2, needed: 2 });
    minutes(1, { ready: 2, needed: 8, ...bad });
    const { holdMs } = regret;
    minutes(8 * 60, { ready: 2, needed: 2 });
    expect(regret.holdMs).toBeCloseTo(holdMs / 2, -3);
  });
});
