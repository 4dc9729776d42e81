import { describe, expect, test } from '@jest/globals';
import { addArrivals, type ArrivalHistory } from './arrivals.ts';
import { demandOf, wholeReplicas, type Demand } from './demand.ts';
import type { EngineSample } from './observation.ts';

const SLOT_MS = 5_000;
const CAPACITY = { requestsPerSecond: 5, lastingRequestsPerSecond: 4, concurrency: 10 };

/** Ten minutes of a rate, requests per second by the second. */
function history(rate: (second: number) => number): ArrivalHistory {
  return Array.from({ length: 120 }, (_, index) => (index + 1) * SLOT_MS).reduce<ArrivalHistory>(
    (all, endMs) => addArrivals(all, { endMs, intervalMs: SLOT_MS, arrivals: Math.round(rate(endMs / 1000) * 5) }),
    [],
  );
}

function engine(running: number): EngineSample {
  return {
    podUid: 'pod',
    running,
    waiting: 0,
    kvCacheUsage: 0,
    promptTokens: 0,
    generatedTokens: 0,
    intervalMs: 5_000,
  };
}

function demand(
  rate: (second: number) => number,
  traffic: { held?: number; engines?: EngineSample[]; inFlight?: number } = {},
  options: { leadMs: number; scatter: number; ready?: number } = { leadMs: 120_000, scatter: 1 },
): Demand {
  return demandOf(history(rate), CAPACITY, { held: 0, engines: [], inFlight: 0, ...traffic }, { ready: 2, ...options });
}

function jump(at: number): number {
  return demand((second) => (second > at ? 40 : 10)).requestsPerSecond;
}

/** A burst after nothing, where bursts are usual. */
function firstBurst(ready: number): number {
  return demand((second) => (second > 585 ? 40 : 0), {}, { leadMs: 120_000, scatter: 100, ready }).requestsPerSecond;
}

describe('demand', () => {
  test('of a steady rate is that rate, whatever a start takes', () => {
    expect(demand(() => 20).replicas).toBeCloseTo(4, 1);
    expect(demand(() => 20, {}, { leadMs: 300_000, scatter: 1 }).replicas).toBeCloseTo(4, 1);
  });

  test('of a rate that rises is what it will be when a replica that is started now serves', () => {
    const rising = demand((second) => 10 + second / 20);
    expect(rising.requestsPerSecond).toBeGreaterThan(42);
    expect(rising.requestsPerSecond).toBeLessThan(48);
    expect(rising.present).toBeGreaterThan(36);
    expect(rising.present).toBeLessThan(41);
  });

  test('that is present is the rate after a fall, too, where the line through it is far below', () => {
    for (const since of [120, 240, 360, 480]) {
      const fallen = demand((second) => (second > 600 - since ? 20 : 40), {}, { leadMs: 305_000, scatter: 1 });
      expect(fallen.present).toBeGreaterThan(18);
    }
  });

  test('that is present is the rate after a jump, too, where the line through it is far above', () => {
    for (const since of [240, 360, 480]) {
      const risen = demand((second) => (second > 600 - since ? 40 : 10), {}, { leadMs: 305_000, scatter: 1 });
      expect(risen.present).toBeLessThan(43);
    }
  });

  test('to go down to is what replicas carry without what was saved, and with a margin', () => {
    expect(demand(() => 20).settled).toBeCloseTo(20 / (4 * 0.95), 1);
  });

  test('of a rate that falls is no more than what it is', () => {
    expect(demand((second) => 40 - second / 20).requestsPerSecond).toBeLessThan(13);
  });

  test('of a jump is there within seconds, and does not run beyond it', () => {
    expect(jump(595)).toBeGreaterThan(25);
    expect(jump(540)).toBeLessThan(50);
    expect(jump(450)).toBeLessThan(44);
  });

  test('of bursts that are usual is not that of a jump', () => {
    const burst = demand((second) => (second > 585 ? 40 : 10), {}, { leadMs: 120_000, scatter: 100 });
    expect(burst.requestsPerSecond).toBeLessThan(20);
    expect(burst.lately).toBeGreaterThan(burst.settled);
  });

  test('of a first burst is that of a jump where nothing serves, however usual bursts are', () => {
    expect(firstBurst(0)).toBeGreaterThan(35);
    expect(firstBurst(1)).toBeLessThan(20);
  });

  test('counts those that are held, and replicas that are buried as lost', () => {
    const calm = demand(() => 20).replicas;
    expect(demand(() => 20, { held: 1_200 }).replicas).toBeCloseTo(calm + 2, 1);
    expect(demand(() => 20, { engines: [engine(12), engine(400)] }).replicas).toBeCloseTo(calm + 1, 5);
    expect(demand(() => 20, { engines: [engine(12), { ...engine(400), batchShare: 0.99 }] }).replicas).toBe(calm);
    // Engines that hang do not even say that.
    expect(demand(() => 20, { inFlight: 900 }).replicas).toBeCloseTo(calm + 2, 5);
  });

  test('of nothing is nothing', () => {
    expect(demandOf([], CAPACITY, { held: 0, engines: [], inFlight: 0 }, { leadMs: 1, scatter: 1, ready: 0 })).toEqual({
      present: 0,
      requestsPerSecond: 0,
      replicas: 0,
      settled: 0,
      lately: 0,
      proven: 0,
    });
  });
});

test.each([
  [0, 0],
  [0.04, 0],
  [0.2, 1],
  [1, 1],
  [1.04, 1],
  [1.06, 2],
])('%d of a replica needs %d', (fraction, whole) => {
  expect(wholeReplicas(fraction)).toBe(whole);
});
