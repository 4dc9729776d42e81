/** Batches as one more reason to have replicas, beside the clients' requests. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { TARGETS, World } from '../../test/support/scaler-world.ts';
import { decide } from './decide.ts';
import { TICK_MS, type Observation } from './observation.ts';

type Change = (observation: Observation) => Observation;

const needing =
  (batchReplicas: number): Change =>
  (observation) => ({ ...observation, batchReplicas });

function changeOf(batch: number | undefined): Change {
  return batch === undefined ? (same) => same : needing(batch);
}

const silent: Change = (observation) => ({ ...observation, traffic: undefined, batchReplicas: 4 });

describe('batches that need more than there is', () => {
  test('are given it with the next decision, in words', () => {
    const world = new World({}, 2);
    world.run(600, 4);
    expect(world.current).toBe(2);
    expect(world.run(5, 4, needing(4))).toMatchObject({
      replicas: 4,
      reason: 'Batches',
      message: '2 → 4: batches need 4 replicas to be done in time.',
    });
  });

  test('wake a deployment at zero, by as many as they need', () => {
    const world = new World({ minReplicas: 0 }, 0);
    world.run(60, 0);
    expect(world.run(5, 0, needing(3))).toMatchObject({
      replicas: 3,
      reason: 'Waking',
      message: '0 → 3: batches need 3 replicas to be done in time.',
    });
  });

  test('are bounded by maxReplicas, and say so', () => {
    const world = new World({ maxReplicas: 3 }, 1);
    expect(world.run(5, 0, needing(8))).toMatchObject({
      replicas: 3,
      reason: 'AtMax',
      limitedBy: 'AtMax',
      message: '1 → 3: batches need 8 replicas to be done in time; 8 are needed, limited by maxReplicas 3.',
    });
  });

  test('stop where there is no GPU, and say so', () => {
    const world = new World({}, 1);
    world.gpus = 2;
    const decision = world.run(120, 0, needing(6));
    expect(decision).toMatchObject({ reason: 'WaitingForGPU', limitedBy: 'WaitingForGPU' });
    expect(decision.message).toContain('batches need 6 replicas to be done in time; 4 replicas cannot be placed');
  });

  test('change nothing while a gateway is silent', () => {
    const world = new World({}, 2);
    expect(world.run(60, 0, silent)).toMatchObject({ replicas: 2, reason: 'SignalStale' });
  });
});

describe('replicas that batches have', () => {
  test('are held as long as they are needed, with the reason', () => {
    const world = new World({ minReplicas: 0, idleMs: 60_000 }, 0);
    world.run(5, 0, needing(2));
    const { length } = world.wanted;
    const decision = world.run(7_200, 0, needing(2));
    expect(world.changes(length)).toBe(0);
    expect(decision).toMatchObject({
      replicas: 2,
      reason: 'Batches',
      message: '2 replicas: batches need 2 replicas to be done in time.',
    });
  });

  test('go after the stabilisation window, and the last one after idleSeconds', () => {
    const world = new World({ minReplicas: 0, stabilizationMs: 120_000, idleMs: 300_000 }, 0);
    world.run(1_200, 0, needing(4));
    world.run(100, 0);
    expect(world.current).toBe(4);
    world.run(60, 0);
    expect(world.current).toBe(1);
    expect(world.run(180, 0)).toMatchObject({ replicas: 0, reason: 'ScaledToZero' });
  });

  test('that need less by and by go down by the window alone', () => {
    const world = new World({ stabilizationMs: 60_000 }, 1);
    world.run(300, 0, needing(5));
    world.run(50, 0, needing(2));
    expect(world.current).toBe(5);
    world.run(30, 0, needing(2));
    expect(world.current).toBe(2);
  });

  test('are no more than clients need where those need more', () => {
    const alone = new World({}, 1);
    const beside = new World({}, 1);
    alone.withoutEngines = true;
    const plain = alone.run(900, 40);
    const decision = beside.run(900, 40, needing(1));
    expect(decision.replicas).toBeGreaterThanOrEqual(plain.replicas);
    expect(decision.message).not.toContain('batches');
  });
});

describe('over random loads', () => {
  const parts = fc.array(
    fc.record({
      seconds: fc.integer({ min: 5, max: 400 }),
      rps: fc.double({ min: 0, max: 60, noNaN: true }),
      batch: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 8 },
  );

  test('stays within its bounds, and never below what batches need', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 8 }), (loads, min, more) => {
        const world = new World({ minReplicas: min, maxReplicas: min + more }, Math.max(1, min));
        for (const { seconds, rps, batch } of loads) {
          const { length } = world.wanted;
          world.run(seconds, rps, changeOf(batch));
          const least = Math.max(min, Math.min(min + more, batch ?? 0));
          const wanted = world.wanted.slice(length);
          expect(wanted.every((count) => count >= least && count <= min + more)).toBe(true);
        }
      }),
      { numRuns: 8 },
    );
  });

  test('wants no less where batches need more', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 30 }), (loads, batch, more) => {
        const world = new World();
        for (const { seconds, rps, batch: before } of loads) world.run(seconds, rps, changeOf(before));
        const seen = world.observation();
        const [fewer, greater] = [batch, batch + more].map(
          (count) => decide(world.state, needing(count)(seen), TARGETS, world.nowMs + TICK_MS).decision.replicas,
        );
        expect(greater).toBeGreaterThanOrEqual(fewer ?? 0);
      }),
      { numRuns: 12 },
    );
  });
});
