import { expect, test } from '@jest/globals';
import { bucketOf } from '../channel/histogram.ts';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { capacityOf, lateBudgetOf, learn, UNLEARNED, type CapacityModel } from './capacity.ts';
import type { EngineSample, TrafficSample } from './observation.ts';

const MINUTE_MS = 60_000;

/** An engine in which a token takes 10 ms, and 2 ms more for each request. */
function engineAt(running: number): EngineSample {
  return {
    podUid: 'one',
    intervalMs: MINUTE_MS,
    running,
    waiting: 0,
    kvCacheUsage: 0,
    promptTokens: 0,
    generatedTokens: (running * MINUTE_MS) / (10 + 2 * running),
  };
}

/** A minute in which nothing came, but for what is said. */
function minuteWith(more: Partial<TrafficSample>): TrafficSample {
  const nothing = {
    arrivals: 0,
    latency: new Map(),
    ages: new Map(),
    inFlight: 0,
    held: 0,
    oldestHeldMs: 0,
    engines: [],
  };
  return { intervalMs: MINUTE_MS, ...nothing, ...more };
}

/** The model after so many minutes of 60 requests each, so many of them late. */
function after(minutes: number, late: number): CapacityModel {
  let model = UNLEARNED;
  for (let minute = 0; minute < minutes; minute++) {
    const latency = new Map([
      [bucketOf(TARGETS.targetLatencyMs / 5), 60 - late],
      [bucketOf(TARGETS.targetLatencyMs * 5), late],
    ]);
    const engines = [engineAt(1 + (minute % 12))];
    model = learn(model, minuteWith({ arrivals: 60, latency, inFlight: 1, engines }), 1, TARGETS);
  }
  return model;
}

test('what waits in engines is not carried by them', () => {
  const model = { ...after(60, 0), concurrency: 60, slowConcurrency: 60, seenConcurrency: 0, steadyMs: 60 * MINUTE_MS };
  const latency = new Map([[bucketOf(TARGETS.targetLatencyMs / 5), 60]]);
  const traffic = minuteWith({ arrivals: 60, latency, inFlight: 60 });
  const engines = [{ ...engineAt(12), waiting: 48 }];
  expect(learn(model, { ...traffic, engines }, 1, TARGETS).seenConcurrency).toBe(12);
  expect(learn(model, { ...traffic, engines: [] }, 1, TARGETS).seenConcurrency).toBeCloseTo(60, 9);
});

test('a target just above what requests take alone leaves a replica less than one request in flight', () => {
  // Beside the one that is there on average they take a sixth longer than alone.
  const targets = { ...TARGETS, targetLatencyMs: (TARGETS.targetLatencyMs / 5) * 0.95 };
  const capacity = capacityOf(after(600, 0), targets);
  expect(capacity?.concurrency).toBeLessThan(1);
  expect(capacity?.requestsPerSecond).toBeLessThan(1);
});

test('of a request a second, 260 may be late in what is remembered of an hour', () => {
  const { left, perMs } = lateBudgetOf(after(600, 0), 0);
  expect(perMs).toBeCloseTo(1 / 1000, 6);
  // 3600 s / ln 2, of which 5 %.
  expect(left).toBeCloseTo(260, -1);
});

test('soon after a start as much may be late as later', () => {
  expect(lateBudgetOf(after(5, 0), 0).left).toBeCloseTo(260, -1);
});

test('what was late counts, and what is in flight and late already', () => {
  expect(lateBudgetOf(after(10, 6), 20).left).toBeLessThan(260 - 50 - 20);
  expect(lateBudgetOf(after(600, 6), 0).left).toBeLessThan(-200);
});

test('by another target nothing was late yet', () => {
  const targets = { ...TARGETS, targetLatencyMs: 60_000 };
  const model = learn(after(600, 6), minuteWith({ intervalMs: 1 }), 1, targets);
  expect(lateBudgetOf(model, 0)).toEqual({ left: 0, perMs: 0 });
});
