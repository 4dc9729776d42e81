import { describe, expect, test } from '@jest/globals';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { UNLEARNED } from './capacity.ts';
import { NOTHING_MISSED } from './missed.ts';
import { rememberedOf, restored, type Remembered } from './remembered.ts';
import { FULL_TRUST, trustAt } from './trust.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 10);
const HOUR_MS = 3_600_000;
/** What is known of a thousand requests, and what else is given. */
function known(more: Partial<Parameters<typeof rememberedOf>[0]> = {}): Parameters<typeof rememberedOf>[0] {
  const counts = { targetLatencyMs: TARGETS.targetLatencyMs, completed: 1_000, late: 60, countedMs: HOUR_MS };
  return { capacity: { ...UNLEARNED, ...counts }, missed: NOTHING_MISSED, trust: FULL_TRUST, lastMs: NOW_MS, ...more };
}

const COUNTS: Remembered = {
  targetLatencyP95Ms: 5_000,
  recentRequests: 1_000,
  recentLateRequests: 60,
  recentSeconds: 3_600,
  recentTime: NOW_MS,
};
const NOTHING = {
  budget: { targetLatencyMs: 5_000, completed: 0, late: 0, countedMs: 0 },
  missed: NOTHING_MISSED,
  trust: FULL_TRUST,
};

function again(more: Remembered, nowMs = NOW_MS): ReturnType<typeof restored> {
  return restored({ ...COUNTS, ...more }, TARGETS, nowMs);
}

describe('what late requests have taught', () => {
  test('is nothing before any came', () => {
    expect(rememberedOf(known({ capacity: UNLEARNED }))).toEqual({});
    expect(restored({}, TARGETS, NOW_MS)).toEqual(NOTHING);
  });

  test('is how many were late of how many, and has faded when somebody goes on from it', () => {
    expect(rememberedOf(known())).toEqual(COUNTS);
    expect(again({}).budget).toEqual({ targetLatencyMs: 5_000, completed: 1_000, late: 60, countedMs: HOUR_MS });
    const { budget } = again({}, NOW_MS + HOUR_MS);
    expect(budget).toEqual({ targetLatencyMs: 5_000, completed: 500, late: 30, countedMs: HOUR_MS / 2 });
  });

  test('is nothing by another latency target', () => {
    const all = { holdSeconds: 600, holdReplicas: 4, surgeRequestsPerSecond: 40, carriedPercent: 80 };
    const targets = { ...TARGETS, targetLatencyMs: 6_000 };
    const { budget, ...rest } = restored({ ...COUNTS, ...all }, targets, NOW_MS);
    expect(budget).toEqual({ ...NOTHING.budget, targetLatencyMs: 6_000 });
    expect(rest).toEqual({ missed: NOTHING_MISSED, trust: FULL_TRUST });
  });

  test('is for how long missed replicas are kept, how many and since when', () => {
    const missed = {
      ...NOTHING_MISSED,
      regret: { ...NOTHING_MISSED.regret, holdMs: HOUR_MS },
      held: [
        { atMs: NOW_MS - 900_000, replicas: 6 },
        { atMs: NOW_MS - 600_000, replicas: 5 },
        { atMs: NOW_MS, replicas: 4 },
      ],
    };
    const remembered = rememberedOf(known({ missed }));
    expect(remembered).toMatchObject({ holdSeconds: 3_600, holdReplicas: 6, holdTime: NOW_MS - 600_000 });
    expect(again(remembered).missed).toMatchObject({
      regret: { holdMs: HOUR_MS },
      held: [{ atMs: NOW_MS - 600_000, replicas: 6 }],
    });
    // What the load needs now, it says itself.
    const needed = rememberedOf(known({ missed: { ...missed, held: [{ atMs: NOW_MS, replicas: 6 }] } }));
    expect(needed).toEqual({ ...COUNTS, holdSeconds: 3_600 });
    const gone = rememberedOf(known({ missed: { ...missed, held: [] } }));
    expect(again(gone).missed).toEqual({ ...NOTHING_MISSED, regret: missed.regret });
    expect(again(remembered, NOW_MS + 8 * HOUR_MS).missed.regret.holdMs).toBeCloseTo(HOUR_MS / 2);
  });

  test('is a rise that replicas are kept for', () => {
    const surge = { ...NOTHING_MISSED.surge, most: 40, late: 900, isDear: true, cameAtMs: NOW_MS - HOUR_MS };
    const remembered = rememberedOf(known({ missed: { ...NOTHING_MISSED, surge } }));
    expect(again(remembered).missed.surge).toEqual(surge);
    const harmless = { ...NOTHING_MISSED, surge: { ...surge, isDear: false } };
    expect(rememberedOf(known({ missed: harmless }))).toEqual(COUNTS);
  });

  test('is that those that were left did not carry the load, for two hours from then', () => {
    const trust = { ...FULL_TRUST, failed: { share: 0.8, atMs: NOW_MS - HOUR_MS } };
    const trusted = again(rememberedOf(known({ trust }))).trust;
    expect(trustAt(trusted, NOW_MS)).toBeCloseTo(0.8);
    expect(trustAt(trusted, NOW_MS + HOUR_MS)).toBeCloseTo(0.8);
    expect(trustAt(trusted, NOW_MS + HOUR_MS + 1)).toBe(1);
    expect(rememberedOf(known({ trust, lastMs: NOW_MS + HOUR_MS + 1 }))).not.toHaveProperty('carriedPercent');
  });

  test('counts from now where a clock went back, and for nothing where it makes no sense', () => {
    const later = NOW_MS + 10 * HOUR_MS;
    expect(again({ surgeRequestsPerSecond: 40, surgeTime: later }).missed.surge.cameAtMs).toBe(NOW_MS);
    expect(again({ carriedPercent: 80, carriedTime: later }).trust.failed?.atMs).toBe(NOW_MS);
    expect(again({ recentTime: later }).budget.completed).toBe(1_000);
    expect(again({ carriedPercent: 100 }).trust).toEqual(FULL_TRUST);
    expect(again({ carriedPercent: 0 }).trust).toEqual(FULL_TRUST);
    expect(again({ carriedPercent: 1, carriedTime: NOW_MS }).trust.failed?.share).toBe(0.7);
    const hold = again({ holdSeconds: 1e9, holdReplicas: 3, holdTime: later }).missed;
    expect(hold).toMatchObject({ regret: { holdMs: 2 * HOUR_MS }, held: [{ atMs: NOW_MS, replicas: 3 }] });
    // Without its time, a count would be a rate without end.
    const { recentSeconds: _, ...timeless } = COUNTS;
    expect(restored(timeless, TARGETS, NOW_MS)).toEqual(NOTHING);
    expect(again({ recentLateRequests: 3_000 }).budget.late).toBe(1_000);
  });
});
