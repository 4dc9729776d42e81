/** What late requests have taught outlives a restart: a new leader decides as the one before would have. */
import { describe, expect, test } from '@jest/globals';
import { World } from '../../test/support/scaler-world.ts';
import { lateBudgetOf, UNLEARNED } from './capacity.ts';
import { initialState, learnedFrom } from './decide.ts';
import { NOTHING_MISSED } from './missed.ts';
import type { ScalingTargets } from './observation.ts';
import { readLearned, showLearned } from './shown-learned.ts';
import { FULL_TRUST, trustAt } from './trust.ts';

function writing(targets: Partial<ScalingTargets> = {}): World {
  const world = new World(targets);
  world.writesStatus = true;
  return world;
}

/** Rises to `rps` for so many seconds each, half an hour apart, and ten minutes after the last one; starts take two. */
function surged(rps: number, ...seconds: readonly number[]): World {
  const world = writing();
  world.loadTimeMs = 120_000;
  world.run(7_200, 10);
  for (const lasting of seconds) {
    world.run(1_800, 10);
    world.run(lasting, rps);
  }
  world.run(600, 10);
  return world;
}

/** On and off within minutes: replicas that were let go were missed. */
function missed(): World {
  const world = writing();
  world.loadTimeMs = 120_000;
  for (let turn = 0; turn < 4; turn += 1) {
    world.run(600, 40);
    world.run(900, 4);
  }
  world.run(600, 40);
  return world;
}

/** Three rises, with a latency target that leaves little room. */
function tight(loadTimeMs: number, rps: number, seconds: number, apartSeconds: number): World {
  const world = writing({ targetLatencyMs: 3_000 });
  world.loadTimeMs = loadTimeMs;
  world.run(5_400, 10);
  for (let turn = 0; turn < 3; turn += 1) {
    world.run(seconds, rps);
    world.run(apartSeconds, 10);
  }
  return world;
}

describe('after a restart', () => {
  test.each([
    ['a rise that nobody could foresee keeps', 40, [360]],
    ['two small ones that together used up what may be late keep', 26, [60, 60]],
  ])('%s the same replicas for as long, but for a minute', (_, rps, seconds) => {
    const [same, restarted] = [surged(rps, ...seconds), surged(rps, ...seconds)];
    expect(same.state.missed.surge.isDear).toBe(true);
    restarted.restart();
    const [without, after] = [countsOf(same, 10), countsOf(restarted, 10)];
    expect(after.filter((count, index) => count !== without[index]).length).toBeLessThanOrEqual(12);
  });

  test('no fewer replicas that were missed are kept, and for as long to a minute', () => {
    const [same, restarted] = [missed(), missed()];
    expect(same.state.missed.regret.holdMs).toBeGreaterThan(600_000);
    restarted.restart();
    // While the load is there, it says itself what is needed.
    for (const world of [same, restarted]) world.run(60, 40);
    const [without, after] = [countsOf(same, 4), countsOf(restarted, 4)];
    expect(after.filter((count, index) => count < (without[index] ?? 0))).toEqual([]);
    const [kept = 0, keptAfter = 0] = [without, after].map((counts) => counts.findIndex((count) => count < 3));
    expect(kept).toBeGreaterThan(120);
    expect(Math.abs(keptAfter - kept)).toBeLessThanOrEqual(12);
  });

  test.each([
    [60_000, 26, 60, 1_800],
    [60_000, 40, 400, 300],
    [120_000, 40, 60, 300],
    [120_000, 26, 400, 1_800],
    [300_000, 40, 400, 1_800],
  ])(
    'no replica goes more than a minute earlier than without it: starts of %i ms, %i requests/s for %i s, %i s apart',
    (...of) => {
      const [same, restarted] = [tight(...of), tight(...of)];
      restarted.restart();
      const [without, after] = [countsOf(same, 10), countsOf(restarted, 10)];
      // What is kept is known to a minute, which is twelve decisions.
      const early = after.filter((count, index) => count < Math.min(...without.slice(index, index + 13)));
      expect(early).toEqual([]);
    },
  );

  test.each([0, 32])('others again and again keep nothing for ever, at %i requests/s', (rps) => {
    const [same, restarted] = [missed(), missed()];
    for (let turn = 0; turn < 12; turn += 1) {
      restarted.restart();
      restarted.run(1_200, rps);
    }
    same.run(12 * 1_200, rps);
    expect(restarted.current).toBe(same.current);
  });

  test('what missed replicas taught is still known when the load comes back', () => {
    const world = missed();
    world.run(7_200, 0);
    const { holdMs } = world.state.missed.regret;
    expect(holdMs).toBeGreaterThan(600_000);
    world.restart();
    expect(world.state.missed.regret.holdMs / holdMs).toBeCloseTo(1, 1);
  });

  test('the budget is as full as before, also of a load that has been steady for hours', () => {
    const world = writing({ targetLatencyMs: 3_500 });
    world.run(8 * 3_600, 10);
    const left = (): number => lateBudgetOf(world.state.capacity, 0).left;
    const before = left();
    world.restart();
    expect(left() / before).toBeGreaterThan(0.5);
    expect(left() / before).toBeLessThan(2);
  });

  test('the load that too few did not carry is still known', () => {
    const { targets, nowMs } = new World();
    const known = { key: targets.capacityKey, targetLatencyP95Ms: 5_000, carriedPercent: 80, carriedTime: nowMs };
    expect(trustAt(initialState(targets, 3, known, nowMs).trust, nowMs)).toBe(0.8);
  });

  test('what batches needed is not kept as if clients had missed it', () => {
    const world = missed();
    world.run(1_800, 4, (observation) => ({ ...observation, batchReplicas: 15 }));
    expect(world.current).toBe(15);
    world.restart();
    expect(world.run(900, 4).replicas).toBeLessThan(10);
  });

  test.each([
    ['a rise', () => surged(40, 360), 10],
    ['missed replicas', missed, 40],
  ])('a load that stays as it is after %s has something written once an hour', (_, make, rps) => {
    const world = make();
    world.run(7_200, rps);
    const { writes } = world;
    world.run(7_200, rps);
    expect(world.writes - writes).toBeLessThanOrEqual(4);
  });

  test('nothing counts by another latency target', () => {
    const world = surged(40, 360);
    const known = readLearned(showLearned(learnedFrom(world.state, world.targets)));
    const targets = { ...world.targets, targetLatencyMs: 60_000 };
    expect(initialState(targets, world.current, known, world.nowMs).missed).toEqual(NOTHING_MISSED);
  });

  test('nothing of another model is known', () => {
    const world = surged(40, 360);
    const known = learnedFrom(world.state, world.targets);
    const fresh = initialState({ ...world.targets, capacityKey: 'another' }, world.current, known, world.nowMs);
    expect(fresh.missed).toEqual(NOTHING_MISSED);
    expect(fresh.capacity).toMatchObject({ ...UNLEARNED, targetLatencyMs: world.targets.targetLatencyMs });
    expect(fresh.trust).toEqual(FULL_TRUST);
    expect(fresh.loadTimeMs).toBeUndefined();
  });
});

/** What is wanted for an hour and a half at this rate. */
function countsOf(world: World, rps: number): readonly number[] {
  const { length } = world.wanted;
  world.run(5_400, rps);
  return world.wanted.slice(length);
}
