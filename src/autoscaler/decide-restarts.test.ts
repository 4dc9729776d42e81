/** What late requests have taught outlives a restart: a new leader decides as the one before would have. */
import { describe, expect, test } from '@jest/globals';
import { World } from '../../test/support/scaler-world.ts';
import { initialState, learnedFrom } from './decide.ts';
import { NOTHING_MISSED } from './missed.ts';
import type { ScalingTargets } from './observation.ts';
import { readLearned, showLearned } from './shown-learned.ts';

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

  test('replicas that were missed are kept for as long, to the five minutes that times are written by', () => {
    const [same, restarted] = [missed(), missed()];
    expect(same.state.missed.regret.holdMs).toBeGreaterThan(600_000);
    restarted.restart();
    const [without, after] = [countsOf(same, 4), countsOf(restarted, 4)];
    expect(most(without)).toBeGreaterThan(3);
    expect(after.filter((count, index) => count !== without[index]).length).toBeLessThanOrEqual(60);
  });

  test.each([
    [60_000, 26, 60, 1_800],
    [60_000, 40, 400, 300],
    [120_000, 40, 60, 300],
    [120_000, 26, 400, 1_800],
    [300_000, 40, 400, 1_800],
  ])(
    'no fewer replicas are wanted than without it, but for a minute: starts of %i ms, %i requests/s for %i s, %i s apart',
    (...of) => {
      const [same, restarted] = [tight(...of), tight(...of)];
      restarted.restart();
      const [without, after] = [countsOf(same, 10), countsOf(restarted, 10)];
      // Of those that are held, the most are known and since when; those that were needed after them are not.
      expect(after.filter((count, index) => count < (without[index] ?? 0)).length).toBeLessThanOrEqual(12);
    },
  );

  test('another one each hour keeps nothing for ever', () => {
    const [same, restarted] = [missed(), missed()];
    for (let hour = 0; hour < 4; hour += 1) {
      restarted.restart();
      restarted.run(3_600, 0);
    }
    same.run(4 * 3_600, 0);
    expect([same.current, restarted.current]).toEqual([1, 1]);
  });

  test('what batches needed is not kept as if clients had missed it', () => {
    const world = missed();
    world.run(1_800, 4, (observation) => ({ ...observation, batchReplicas: 15 }));
    expect(world.current).toBe(15);
    world.restart();
    expect(world.run(900, 4).replicas).toBeLessThan(10);
  });

  test('a load that stays as it is has nothing written for it', () => {
    const world = surged(40, 360);
    world.run(7_200, 10);
    const { writes } = world;
    world.run(7_200, 10);
    expect(world.writes - writes).toBeLessThanOrEqual(2);
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
    expect(fresh.capacity).toMatchObject({ completed: 0, late: 0, alone: new Map() });
    expect(fresh.loadTimeMs).toBeUndefined();
  });
});

/** What is wanted for an hour and a half at this rate. */
function countsOf(world: World, rps: number): readonly number[] {
  const { length } = world.wanted;
  world.run(5_400, rps);
  return world.wanted.slice(length);
}

function most(counts: readonly number[]): number {
  return counts.reduce((highest, count) => Math.max(highest, count), 0);
}
