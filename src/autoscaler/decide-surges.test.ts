/** What a rise that nobody could foresee leaves behind, and what does not look like one. */
import { describe, expect, test } from '@jest/globals';
import { World } from '../../test/support/scaler-world.ts';
import { decide } from './decide.ts';
import { TICK_MS } from './observation.ts';

/** Four times the load for six minutes; starts take two. */
function surging(): World {
  const world = new World();
  world.loadTimeMs = 120_000;
  world.run(9_000, 10);
  world.run(360, 40);
  return world;
}

describe('a rise that nobody could foresee', () => {
  test('is provided for afterwards, as long as another one would make too many late, and it says so', () => {
    const world = surging();
    const peak = world.current;
    const decision = world.run(3_600, 10);
    expect(decision).toMatchObject({ reason: 'Stabilizing' });
    expect(decision.message).toContain('for a rise like the last one');
    expect(decision.replicas).toBeGreaterThanOrEqual(0.5 * peak);
    expect(world.run(7_200, 10).replicas).toBeLessThan(0.5 * peak);
  });

  test('is of no importance where nothing comes any more', () => {
    expect(surging().run(1_200, 0).replicas).toBe(1);
  });

  test('is of no importance by another target', () => {
    const world = surging();
    expect(world.state.missed.surge.isDear).toBe(true);
    const targets = { ...world.targets, targetLatencyMs: 60_000 };
    const { state } = decide(world.state, world.observation(), targets, world.nowMs + TICK_MS);
    expect(state.missed.surge).toMatchObject({ most: 0, isDear: false });
  });

  test.each([0, 0.2])('a load test keeps nothing when %d requests a second come after it', (rps) => {
    const world = new World();
    world.run(3_600, 0.2);
    world.run(600, 60);
    expect(world.run(1_500, rps).replicas).toBe(1);
  });

  test('a capacity that was taken for too small at first keeps nothing', () => {
    const world = new World({ targetRps: 1.5 });
    world.run(600, 30);
    expect(world.run(3_000, 30).replicas).toBeLessThanOrEqual(6);
  });

  test('replicas that cannot be placed for an hour were not let go', () => {
    const world = new World({}, 5);
    world.run(3_600, 30);
    const before = world.current;
    world.gpus = before - 2;
    world.ready = before - 2;
    world.run(3_600, 30);
    world.gpus = Number.POSITIVE_INFINITY;
    world.run(1_800, 30);
    expect(world.run(900, 2).replicas).toBe(1);
  });
});
