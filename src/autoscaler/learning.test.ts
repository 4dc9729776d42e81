import { describe, expect, test } from '@jest/globals';
import { TARGETS, World } from '../../test/support/scaler-world.ts';
import { after, engineAt, MINUTE_MS, minuteWith } from '../../test/support/taught-minutes.ts';
import { bucketOf } from '../channel/histogram.ts';
import { capacityOf } from './capacity.ts';
import { learn } from './learning.ts';
import type { EngineSample, Observation } from './observation.ts';
import type { SlowdownLine } from './slowdown.ts';

/** What engines do of batches beside their clients' requests: half of it, at an eighth of the pace. */
function withBatches({ traffic, replicas }: Observation): Observation {
  if (traffic === undefined) return { traffic, replicas };
  const engines = traffic.engines.map((engine) => ({
    ...engine,
    running: 2 * engine.running,
    generatedTokens: engine.generatedTokens / 4,
    batchShare: 0.5,
  }));
  return { traffic: { ...traffic, engines, batchInFlight: traffic.inFlight }, replicas };
}

/** Runs like the world itself, and returns after how many seconds what was learned was forgotten. */
function forgettingsOf(world: World, seconds: number, rps: number, change?: typeof withBatches): number[] {
  const forgotten: number[] = [];
  for (let passed = 0; passed < seconds; passed += 5) {
    world.run(5, rps, change);
    if (world.state.hasForgotten) forgotten.push(passed);
  }
  return forgotten;
}

/** An hour of small requests, 40 a second, that eight replicas could carry eight times. */
function taught(): World {
  const world = new World({ targetLatencyMs: 10_000 }, 8);
  world.aloneMs = 300;
  world.run(3_600, 40);
  return world;
}

describe('requests that become others from one moment to the next', () => {
  test.each<[string, number, number, number, number]>([
    ['eight times as long, with tokens that take as much longer', 2_400, 150, 5, 1],
    ['an eighth as long, with tokens that take as much less', 37.5, 150, 320, 1],
    ['eight times as long, since they have more tokens', 2_400, 1_200, 5, 0],
  ])('%s: are known within six minutes', (_sentence, ms, tokens, rps, forgettings) => {
    const world = taught();
    world.aloneMs = ms;
    world.tokens = tokens;
    expect(forgettingsOf(world, 360, rps)).toHaveLength(forgettings);
    const capacity = capacityOf(world.state.capacity, world.targets);
    expect(capacity?.unloadedP95Ms).toBeGreaterThan(1.2 * ms);
    expect(capacity?.unloadedP95Ms).toBeLessThan(2 * ms);
    expect(forgettingsOf(world, 1_800, rps)).toEqual([]);
  });

  test('what was late stays in the budget', () => {
    const world = taught();
    const { completed } = world.state.capacity;
    world.aloneMs = 2_400;
    expect(forgettingsOf(world, 300, 5)).toHaveLength(1);
    expect(world.state.capacity.completed).toBeGreaterThan(0.9 * completed);
  });

  test('no replica goes for a stabilisation window after that, whatever targetRps says', () => {
    const world = new World({ targetLatencyMs: 10_000, targetRps: 1_000, stabilizationMs: 120_000 }, 8);
    world.aloneMs = 300;
    world.run(3_600, 160);
    const { current } = world;
    expect(current).toBeGreaterThan(2);
    world.aloneMs = 900;
    expect(forgettingsOf(world, 120, 40)).toHaveLength(1);
    world.run(45, 40);
    expect(world.current).toBe(current);
  });
});

describe('nothing is forgotten', () => {
  test('of a load that rises and falls', () => {
    const world = taught();
    const loads = [80, 10, 160, 40, 5, 120];
    expect(loads.flatMap((rps) => forgettingsOf(world, 900, rps))).toEqual([]);
  });

  test('since batches begin beside it, and end', () => {
    const world = taught();
    expect(forgettingsOf(world, 1_800, 40, withBatches)).toEqual([]);
    expect(forgettingsOf(world, 1_800, 40)).toEqual([]);
  });
});

test('where batches run, longer latencies do not replace what was learned', () => {
  const latency = new Map([[bucketOf(TARGETS.targetLatencyMs), 600]]);
  const traffic = minuteWith({ arrivals: 600, latency, inFlight: 1, engines: [engineAt(1)] });
  const [known, steadyMs] = [after(60, 0), 60 * MINUTE_MS];
  const learned = (batchInFlight: number): number | undefined =>
    capacityOf(learn({ ...known, steadyMs }, { ...traffic, batchInFlight }, 1, TARGETS), TARGETS)?.unloadedP95Ms;
  expect(learned(0)).toBeGreaterThan(1.5 * (capacityOf(known, TARGETS)?.unloadedP95Ms ?? 0));
  const alone = learn({ ...known, steadyMs }, { ...traffic, batchInFlight: 1 }, 1, TARGETS);
  expect(alone.recentAlone.size).toBe(0);
  expect(alone.alone.size).toBeGreaterThan(known.alone.size);
});

test('what waits in engines is not carried by them', () => {
  const model = { ...after(60, 0), concurrency: 60, slowConcurrency: 60, seenConcurrency: 0, steadyMs: 60 * MINUTE_MS };
  const latency = new Map([[bucketOf(TARGETS.targetLatencyMs / 5), 60]]);
  const traffic = minuteWith({ arrivals: 60, latency, inFlight: 60 });
  const engines = [{ ...engineAt(12), waiting: 48 }];
  expect(learn(model, { ...traffic, engines }, 1, TARGETS).seenConcurrency).toBe(12);
  expect(learn(model, { ...traffic, engines: [] }, 1, TARGETS).seenConcurrency).toBeCloseTo(60, 9);
});

test('an engine that works off what buried it tells nothing of the others, though its tokens are fast for so many', () => {
  const [known, steadyMs] = [after(60, 0), 60 * MINUTE_MS];
  const latency = new Map([[bucketOf(TARGETS.targetLatencyMs / 5), 60]]);
  const draining = { ...engineAt(40), generatedTokens: 3 * engineAt(40).generatedTokens };
  const lineWith = (...engines: EngineSample[]): SlowdownLine =>
    learn(
      { ...known, concurrency: 12, slowConcurrency: 12, steadyMs },
      minuteWith({ arrivals: 60, latency, inFlight: 48, engines }),
      4,
      TARGETS,
    ).line;
  const others = [engineAt(5), engineAt(6), engineAt(7)];
  expect(lineWith(...others, draining)).toEqual(lineWith(...others));
  // Where most work on as many, that is what replicas do.
  expect(lineWith(draining, draining, draining).weight).toBeGreaterThan(lineWith().weight + 2);
  // One that idles has nothing to tell.
  const idle = engineAt(0);
  expect(lineWith(idle, idle, idle, engineAt(8))).toEqual(lineWith(engineAt(8)));
  expect(lineWith(engineAt(8)).weight).toBeGreaterThan(lineWith().weight);
});
