import { describe, expect, test } from '@jest/globals';
import { World } from '../../test/support/scaler-world.ts';
import { buriedReplicas, soundEngines } from './buried.ts';
import type { EngineSample, Observation } from './observation.ts';

const CAPACITY = { concurrency: 10 };

function engine(running: number, waiting: number): EngineSample {
  return { podUid: 'pod', running, waiting, kvCacheUsage: 0.5, promptTokens: 0, generatedTokens: 0, intervalMs: 5_000 };
}

/** The first engine has taken in what was held for a start; the others carry what they should. */
function withOneBuried(observation: Observation): Observation {
  const { traffic } = observation;
  if (traffic === undefined) return observation;
  const [first, ...others] = traffic.engines;
  if (first === undefined) return observation;
  return {
    ...observation,
    traffic: { ...traffic, engines: [{ ...first, waiting: 2_000, kvCacheUsage: 1 }, ...others] },
  };
}

describe('a buried replica', () => {
  test('has three times what it should, running or waiting', () => {
    const engines = [engine(10, 0), engine(20, 10), engine(20, 11), engine(0, 400)];
    expect(soundEngines(engines, CAPACITY)).toEqual(engines.slice(0, 2));
    expect(buriedReplicas({ engines, inFlight: 0, held: 0 }, 4, CAPACITY)).toBe(2);
  });

  test('is none of few requests, however little it should have', () => {
    expect(soundEngines([engine(12, 0)], { concurrency: 1 })).toHaveLength(1);
    expect(soundEngines([engine(13, 0)], { concurrency: 1 })).toHaveLength(0);
  });

  test('is what all are on average where engines say nothing', () => {
    expect(buriedReplicas({ engines: [], inFlight: 70, held: 8 }, 2, CAPACITY)).toBe(2);
    expect(buriedReplicas({ engines: [], inFlight: 70, held: 11 }, 2, CAPACITY)).toBe(0);
  });

  test('is replaced once, and what waits in it asks for no more', () => {
    const world = new World({}, 1);
    world.run(1_800, 20);
    const before = world.current;
    world.run(900, 20, withOneBuried);
    expect(world.current).toBe(before + 1);
  });
});
