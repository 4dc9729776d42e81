import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { TARGETS, World } from '../../test/support/scaler-world.ts';
import { bucketOf, total } from '../channel/histogram.ts';
import { decide, learnedFrom } from './decide.ts';
import { TICK_MS, type Observation } from './observation.ts';

const silent = (observation: Observation): Observation => ({ ...observation, traffic: undefined });

const stuck = (observation: Observation): Observation => ({
  ...observation,
  traffic: observation.traffic && { ...observation.traffic, latency: new Map([[bucketOf(4_000), 20]]) },
});

const lasting = (observation: Observation): Observation => ({
  ...observation,
  traffic: observation.traffic && { ...observation.traffic, inFlight: 1 },
});

const late = (observation: Observation): Observation => ({
  ...observation,
  traffic: observation.traffic && { ...observation.traffic, latency: new Map([[bucketOf(60_000), 100]]) },
});

/** Close to what an engine can do at all, latencies rise faster than was learned. */
const CLOSE_RPS = 21.47;

function closeToLimit(): World {
  const world = new World({ targetLatencyMs: 10_000 });
  world.loadTimeMs = 300_000;
  return world;
}

function most(counts: readonly number[]): number {
  return counts.reduce((highest, count) => Math.max(highest, count), 0);
}

describe('failures that others had', () => {
  test('pending replicas do not double while they start', () => {
    const world = new World({}, 2);
    world.loadTimeMs = 600_000;
    world.run(900, 8);
    const settled = world.run(30, 40).replicas;
    world.run(500, 40);
    expect(settled).toBeGreaterThan(3);
    // Those that are buried meanwhile count as lost; nothing else may add to what the load needs.
    expect(most(world.wanted)).toBeLessThanOrEqual(settled + 3);
  });

  test('two replicas whose survivor could not carry the load stay two', () => {
    const world = new World({}, 1);
    world.run(1_800, 12);
    const { length } = world.wanted;
    const count = world.current;
    world.run(7_200, 12);
    expect(count).toBeGreaterThan(1);
    expect(world.changes(length)).toBe(0);
  });

  // The budget of late requests was saved up beside more replicas and spent with fewer, each of these for ever.
  test.each([15.3267, 23.95, 47.35, 78.45])('replicas do not come and go under a constant %d requests/s', (rps) => {
    const world = new World();
    world.run(5_400, rps);
    const { length } = world.wanted;
    const decision = world.run(7_200, rps);
    expect(world.changes(length)).toBe(0);
    expect(decision.reason).toBe('Steady');
  });

  test('a step down that was one too many is not tried again after each window', () => {
    const world = closeToLimit();
    world.run(5_400, CLOSE_RPS);
    const { length } = world.wanted;
    world.run(7_200, CLOSE_RPS);
    // Requests may have become others: one more try in two hours.
    expect(world.changes(length)).toBeLessThanOrEqual(2);
  });

  test('no traffic at all is data, and goes down to the minimum after the window', () => {
    const world = new World({}, 1);
    world.run(1_200, 40);
    expect(world.current).toBeGreaterThan(2);
    world.run(280, 0);
    expect(world.current).toBeGreaterThan(1);
    const decision = world.run(600, 0);
    expect(decision).toMatchObject({ replicas: 1, reason: 'MinReplicas' });
    expect(decision.message).not.toMatch(/NaN|undefined/);
  });

  test('what was late before the load went away keeps nothing', () => {
    const world = new World({ targetLatencyMs: 3_000, stabilizationMs: 15_000, maxReplicas: 4 }, 1);
    world.run(120, 19);
    expect(world.run(60, 19).message).toMatch(/p95 .* > 3 s/);
    expect(world.run(120, 0)).toMatchObject({ replicas: 1, reason: 'MinReplicas' });
  });

  test('a load that ends soon after a restart holds no replicas longer than another', () => {
    const world = new World({ stabilizationMs: 15_000 }, 4);
    world.run(60, 19);
    expect(world.current).toBe(4);
    expect(world.run(90, 0).replicas).toBe(1);
  });

  test('a rate of completions that saturates hides nothing: arrivals count', () => {
    const world = new World({}, 1);
    world.run(600, 4);
    world.run(60, 40, stuck);
    expect(world.current).toBeGreaterThanOrEqual(4);
  });

  test('a replica that cannot be placed stops the climb and nothing else', () => {
    const world = new World({}, 1);
    world.run(900, 10);
    const before = world.current;
    world.gpus = before;
    const climbing = world.run(300, 60);
    expect(climbing).toMatchObject({ reason: 'WaitingForGPU', limitedBy: 'WaitingForGPU' });
    const { length } = world.wanted;
    world.run(600, 60);
    expect(world.changes(length)).toBe(0);
    const falling = world.run(900, 0);
    expect(falling.replicas).toBe(1);
  });

  test('a replica to spare that cannot be placed is let go', () => {
    const world = new World();
    world.run(9_000, 23.2);
    expect(world.current).toBe(4);
    world.gpus = 3;
    world.run(900, 23.2);
    expect(world.current).toBe(3);
  });

  test('replicas asked for at once, more than there is room for, say so as long as they are needed', () => {
    const world = new World({}, 1);
    world.gpus = 2;
    expect(world.run(60, 60)).toMatchObject({ reason: 'WaitingForGPU', limitedBy: 'WaitingForGPU' });
    world.gpus = 100;
    expect(world.run(600, 60).limitedBy).toBeUndefined();
  });

  test('a lack of GPUs is told also where more is needed than the maximum', () => {
    const world = new World({ maxReplicas: 4 }, 1);
    world.gpus = 2;
    expect(world.run(120, 80)).toMatchObject({ reason: 'WaitingForGPU', limitedBy: 'WaitingForGPU' });
  });

  test('without a word of any engine the gateways are enough to scale by', () => {
    const world = new World({}, 1);
    world.withoutEngines = true;
    world.run(900, 40);
    expect(world.current).toBeGreaterThan(2);
  });

  test('a batch that is bounded below what would be learned for it shows as waiting', () => {
    const world = new World({ targetLatencyMs: 60_000, targetRps: 100 }, 1);
    world.seats = 4;
    world.run(120, 8);
    expect(most(world.wanted)).toBeGreaterThan(1);
  });

  test('a restart under load changes no decision for a whole window', () => {
    const world = new World({}, 1);
    world.writesStatus = true;
    world.run(1_800, 40);
    const before = world.current;
    world.restart();
    const { length } = world.wanted;
    world.run(295, 40);
    expect(before).toBeGreaterThan(2);
    expect(world.wanted.slice(length)).toEqual(world.wanted.slice(length).map(() => before));
  });

  test('load that flaps within the window moves nothing after it was seen', () => {
    const world = new World({}, 1);
    for (let turn = 0; turn < 20; turn += 1) world.run(60, turn % 2 === 0 ? 10 : 30);
    const { length } = world.wanted;
    for (let turn = 0; turn < 60; turn += 1) world.run(60, turn % 2 === 0 ? 10 : 30);
    expect(world.changes(length)).toBeLessThanOrEqual(6);
  });

  test('a gateway that is silent now and then is no reason to go down', () => {
    const world = new World({}, 1);
    world.run(900, 40);
    const before = world.current;
    const decision = world.run(1_200, 0, silent);
    expect(decision).toMatchObject({ replicas: before, reason: 'SignalStale' });
    // What comes after the silence is looked at for a whole window again.
    world.run(290, 0);
    expect(world.current).toBe(before);
    world.run(300, 0);
    expect(world.current).toBeLessThan(before);
  });

  test.each([-3_600_000, 3_600_000])('a clock that jumps by %i ms lowers nothing at once', (jumpMs) => {
    const world = new World({}, 1);
    world.run(900, 40);
    const before = world.current;
    world.nowMs += jumpMs;
    world.run(60, 1);
    expect(world.current).toBeGreaterThanOrEqual(before);
    world.run(900, 1);
    expect(world.current).toBe(1);
  });
});

describe('capacity', () => {
  test('that was found too high for stepping down is so no longer of another model or another target', () => {
    const world = closeToLimit();
    world.run(5_600, CLOSE_RPS);
    expect(world.state.trust.failed).toBeDefined();
    const observation = world.observation();
    for (const change of [{ capacityKey: 'another' }, { targetLatencyMs: 9_000 }]) {
      const { state } = decide(world.state, observation, { ...world.targets, ...change }, world.nowMs + TICK_MS);
      expect(state.trust.failed).toBeUndefined();
    }
  });

  test('is learned, and goes before a targetRps that is three times too high or too low', () => {
    const counts = [0.33, 1, 3].map((factor) => {
      const world = new World({ targetRps: 6 * factor }, 2);
      for (let step = 1; step <= 6; step += 1) world.run(900, 10 * step);
      return world.current;
    });
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  test('of a model that changed is learned anew', () => {
    const world = new World({}, 2);
    world.run(1_800, 20);
    const other = { ...world.targets, capacityKey: 'another' };
    const { state } = decide(world.state, world.observation(), other, world.nowMs + TICK_MS);
    expect(learnedFrom(world.state, world.targets).requestsPerSecond).toBeGreaterThan(0);
    expect(learnedFrom(state, other).requestsPerSecond).toBeUndefined();
  });

  test('a target below what a request takes alone is said to be out of reach, and buys no replicas for ever', () => {
    const world = new World({ targetLatencyMs: 500 }, 1);
    const decision = world.run(3_600, 5);
    expect(decision.limitedBy).toBe('LatencyTargetUnattainable');
    expect(decision.replicas).toBeLessThan(8);
  });

  test('the time that a start takes is learned', () => {
    const world = new World({}, 1);
    world.loadTimeMs = 90_000;
    world.run(600, 40);
    expect(learnedFrom(world.state, world.targets).loadSeconds).toBe(90);
  });
});

describe('from zero and to zero', () => {
  test('wakes at the first request, by one where no more is known', () => {
    const world = new World({ minReplicas: 0 }, 0);
    world.run(60, 0);
    expect(world.current).toBe(0);
    expect(world.run(5, 0.2)).toMatchObject({ replicas: 1, reason: 'Waking' });
  });

  test('goes to zero when there was no work for idleSeconds, whatever the window', () => {
    const world = new World({ minReplicas: 0, idleMs: 60_000 }, 0);
    world.run(120, 2);
    expect(world.current).toBeGreaterThan(0);
    world.run(55, 0);
    expect(world.current).toBeGreaterThan(0);
    expect(world.run(15, 0)).toMatchObject({ replicas: 0, reason: 'ScaledToZero' });
  });

  test('a request that lasts is work', () => {
    const world = new World({ minReplicas: 0, idleMs: 60_000 }, 1);
    world.run(600, 0, lasting);
    expect(world.current).toBe(1);
  });
});

test('what comes back soon after it was let go finds the replicas the next time', () => {
  const world = new World({}, 1);
  world.loadTimeMs = 120_000;
  world.run(1_200, 40);
  const needed = world.current;
  world.run(900, 2);
  expect(world.current).toBeLessThan(needed);
  world.run(150, 40, late);
  world.run(900, 40);
  world.run(900, 2);
  expect(world.current).toBeGreaterThan(needed / 2);
});

test('says what it saw, and what limits it', () => {
  const world = new World({ maxReplicas: 3 }, 1);
  world.run(900, 4);
  const decision = world.run(30, 60);
  expect(decision).toMatchObject({ replicas: 3, reason: 'AtMax', limitedBy: 'AtMax' });
  expect(decision.message).toMatch(/; \d+ are needed, limited by maxReplicas 3\.$/);
  const calm = new World({}, 1);
  expect(calm.run(5, 12).message).toMatch(
    /^1 → \d: \d+(\.\d+)? requests\/s, of which a replica serves 5 within 5 s, as targetRps says\.$/,
  );
});

test('says that it goes by what replicas get done in a queue, where that is less than targetRps', () => {
  const world = new World({ targetRps: 100 }, 1);
  world.seats = 20;
  let inFlight = 0;
  // Of 150 that come in a tick some 70 are answered.
  const piling = (observation: Observation): Observation => {
    if (observation.traffic === undefined) return observation;
    inFlight += observation.traffic.arrivals - total(observation.traffic.latency);
    return { ...observation, traffic: { ...observation.traffic, inFlight } };
  };
  expect(world.run(45, 30, piling).message).toMatch(
    /^4 replicas: 30 requests\/s, of which a replica serves \d+ within 5 s, by what it gets done while requests queue in it\.$/,
  );
});

test('says why it keeps one more than what comes needs', () => {
  const world = new World();
  expect(world.run(9_000, 23.95).message).toMatch(
    /^4 replicas: 24 requests\/s, of which a replica serves \d\.\d within 5 s, as was learned; 3 would have nothing to spare\.$/,
  );
});

describe('over random loads', () => {
  const loads = fc.array(
    fc.record({ seconds: fc.integer({ min: 5, max: 400 }), rps: fc.double({ min: 0, max: 80, noNaN: true }) }),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  const bounds = fc.record({ min: fc.integer({ min: 0, max: 3 }), more: fc.integer({ min: 0, max: 8 }) });

  test('stays within its bounds', () => {
    fc.assert(
      fc.property(loads, bounds, (parts, { min, more }) => {
        const world = new World({ minReplicas: min, maxReplicas: Math.max(1, min + more) }, Math.max(1, min));
        for (const { seconds, rps } of parts) world.run(seconds, rps);
        expect(world.wanted.every((count) => count >= min && count <= Math.max(1, min + more))).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  test('never goes down on missing data', () => {
    fc.assert(
      fc.property(loads, fc.integer({ min: 1, max: 600 }), (parts, seconds) => {
        const world = new World();
        for (const { seconds: lasting, rps } of parts) world.run(lasting, rps);
        const before = world.current;
        world.run(seconds, 0, silent);
        expect(world.current).toBe(before);
      }),
      { numRuns: 8 },
    );
  });

  test('comes to rest under constant load', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 80, noNaN: true }), (rps) => {
        const world = new World();
        world.run(5_400, rps);
        const { length } = world.wanted;
        world.run(3_600, rps);
        expect(world.changes(length)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 8 },
    );
  });

  test('wants no less where more comes', () => {
    fc.assert(
      fc.property(loads, fc.integer({ min: 1, max: 500 }), (parts, more) => {
        const world = new World();
        for (const { seconds, rps } of parts) world.run(seconds, rps);
        const observation = world.observation();
        if (observation.traffic === undefined) throw new Error('no traffic');
        const busier = {
          ...observation,
          traffic: { ...observation.traffic, arrivals: observation.traffic.arrivals + more },
        };
        const [fewer, greater] = [observation, busier].map(
          (seen) => decide(world.state, seen, TARGETS, world.nowMs + TICK_MS).decision.replicas,
        );
        expect(greater).toBeGreaterThanOrEqual(fewer ?? 0);
      }),
      { numRuns: 12 },
    );
  });
});
