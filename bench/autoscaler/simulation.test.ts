import { describe, expect, test } from '@jest/globals';
import type { EngineModel } from './engine-model.ts';
import { simulatePlan, simulatePolicy, type Cell } from './simulation.ts';
import type { Policy, PolicyView, SimulatedRequest } from './types.ts';
import { wave } from './workloads/waves.ts';

/** One request at a time, 10 ms a token. */
const ENGINE: EngineModel = {
  baseMs: 10,
  perContextTokenMs: 0,
  perPromptTokenMs: 0,
  gpus: 2,
  batchedTokens: 1_000,
  seats: 1,
  kvCacheTokens: 1_000_000,
};

function cell(requests: SimulatedRequest[], initialReplicas: number, endMs = 100_000): Cell {
  return {
    workload: { name: 'test', requests, warmUpMs: 0, endMs, minReplicas: 0 },
    targets: { targetRps: 1, targetLatencyMs: 2_000, minReplicas: 0, maxReplicas: 8, initialReplicas },
    engine: ENGINE,
    coldStartMs: 30_000,
  };
}

/** Takes one second for each hundred tokens. */
function request(arrivalMs: number, outputTokens = 100): SimulatedRequest {
  return { arrivalMs, promptTokens: 1, outputTokens };
}

function policy(desired: (view: PolicyView, nowMs: number) => number): Policy {
  return { name: 'test policy', create: () => ({ periodMs: 5_000, desired }) };
}

/** Wants what the list says from each time on. */
function wanting(...plan: [number, number][]): Policy {
  return policy((_, nowMs) => plan.findLast(([from]) => from <= nowMs)?.[1] ?? 0);
}

function size(counts: ReadonlyMap<number, number> | undefined): number {
  return [...(counts ?? [])].reduce((total, [, count]) => total + count, 0);
}

describe('a simulated deployment', () => {
  test('asks the policy at once where a request finds no replica, and serves it after the cold start', () => {
    const asked: [number, PolicyView][] = [];
    const run = simulatePolicy(
      cell([request(12_000), request(13_000)], 0),
      policy((view, nowMs) => {
        asked.push([nowMs, view]);
        return nowMs >= 12_000 ? 1 : 0;
      }),
    );
    expect(asked.slice(0, 4).map(([nowMs]) => nowMs)).toEqual([5_000, 10_000, 12_000, 15_000]);
    expect(asked[2]?.[1].observation.traffic).toMatchObject({
      intervalMs: 2_000,
      arrivals: 1,
      inFlight: 1,
      held: 1,
      oldestHeldMs: 0,
    });
    expect(asked[3]?.[1].observation).toMatchObject({
      traffic: { intervalMs: 3_000, arrivals: 1, inFlight: 2, held: 2, oldestHeldMs: 3_000 },
      replicas: { current: 1, ready: 0, pending: 1, startTimesMs: [] },
    });
    const started = asked.find(([, { observation }]) => observation.replicas.startTimesMs.length > 0);
    expect(started?.[0]).toBe(45_000);
    expect(started?.[1].observation.replicas).toMatchObject({ ready: 1, pending: 0, startTimesMs: [30_000] });
    expect([...run.journal.endedAtMs]).toEqual([43_000, 44_000]);
    expect(run.outcome.plan).toEqual([
      [0, 0],
      [12_000, 1],
    ]);
    // From the wish on, two GPUs.
    expect(run.outcome.gpuHours).toBeCloseTo((2 * 88) / 3600, 6);
  });

  test('gives a request to the replica with the fewest', () => {
    const { journal } = simulatePlan(cell([request(0, 300), request(0), request(1_500)], 0), 'two', [[0, 2]]);
    expect([...journal.endedAtMs]).toEqual([3_000, 1_000, 2_500]);
  });

  test('takes starting replicas away first, then the one with the least to do, which ends its work and costs until then', () => {
    const requests = [
      request(1_000, 3_000),
      request(2_000, 1_000),
      request(2_100, 1_000),
      request(7_000, 2_000),
      request(16_000),
    ];
    const run = simulatePolicy(cell(requests, 2), wanting([5_000, 3], [10_000, 2], [15_000, 1]));
    // The first and the third on one replica, the second and the fourth on the other, which goes with the fourth in it.
    expect([...run.journal.endedAtMs]).toEqual([31_000, 12_000, 41_000, 32_000, 42_000]);
    const replicaSeconds = 100 + 32 + 5;
    expect(run.outcome.gpuHours).toBeCloseTo((2 * replicaSeconds) / 3600, 6);
    expect(run.outcome).toMatchObject({ changes: 3, reversals: 1 });
  });

  test('shows a policy what the product would see', () => {
    const seen: PolicyView[] = [];
    const requests = Array.from({ length: 40 }, (_, index) => request(index * 1_500, 120));
    simulatePolicy(
      cell(requests, 2),
      policy((view) => {
        seen.push(view);
        const { traffic } = view.observation;
        expect(size(traffic?.ages)).toBe(traffic?.inFlight);
        return 2;
      }),
    );
    const sum = (value: (view: PolicyView) => number) => seen.reduce((total, view) => total + value(view), 0);
    expect(sum(({ observation }) => observation.traffic?.arrivals ?? 0)).toBe(40);
    expect(sum(({ observation }) => size(observation.traffic?.latency))).toBe(40);
    const tokens = sum(
      ({ observation }) => observation.traffic?.engines.reduce((all, engine) => all + engine.generatedTokens, 0) ?? 0,
    );
    expect(tokens).toBeCloseTo(40 * 120);
    for (const { observation, replicas } of seen) {
      expect(replicas.reduce((all, replica) => all + replica.inFlight, 0)).toBe(observation.traffic?.inFlight);
    }
    // 1.2 seconds of work each 1.5 seconds, on two.
    const running = sum(
      ({ observation }) => observation.traffic?.engines.reduce((all, engine) => all + engine.running, 0) ?? 0,
    );
    expect(running * 5_000).toBeCloseTo(40 * 1_200);
  });

  test('holds a policy to the bounds, and refuses a count that is none', () => {
    expect(simulatePolicy(cell([request(0)], 1), wanting([0, 99])).outcome.plan.at(-1)).toEqual([5_000, 8]);
    const broken = () => simulatePolicy(cell([request(0)], 1), wanting([0, NaN]));
    expect(broken).toThrow('test policy wants NaN replicas at 5000 ms.');
  });

  test('counts a request that never ends as late, and only what is scored', () => {
    const base = cell([request(10_000), request(30_000), request(90_000)], 1);
    const scored = { ...base, workload: { ...base.workload, warmUpMs: 20_000 } };
    const { outcome } = simulatePolicy(scored, wanting([0, 1], [60_000, 0]));
    expect(outcome).toMatchObject({ attainment: 0.5, badMinutes: 1, changes: 1 });
    expect(outcome.latencyP99Ms).toBeGreaterThan(600_000);
    expect(outcome.gpuHours).toBeCloseTo((2 * 40) / 3600, 6);
  });

  test('tells what is late while replicas start from what is late otherwise', () => {
    const late = [10_000, 25_000, 30_000, 60_000, 90_000].map((arrivalMs) => request(arrivalMs, 300));
    const requests = [...late, request(40_000)].toSorted((a, b) => a.arrivalMs - b.arrivalMs);
    const { outcome } = simulatePolicy(cell(requests, 1), wanting([0, 1], [20_000, 2], [70_000, 1]));
    expect(outcome).toMatchObject({ attainment: 1 / 6, lateWhileStarting: 2 / 6 });
    const cancelled = simulatePolicy(cell(late, 1), wanting([0, 1], [20_000, 2], [25_000, 1]));
    expect(cancelled.outcome).toMatchObject({ attainment: 0, lateWhileStarting: 1 / 5 });
    const asleep = simulatePolicy(cell(late, 0), wanting([0, 0], [90_000, 1]));
    expect(asleep.outcome).toMatchObject({ attainment: 0, lateWhileStarting: 1 });
  });

  test('replays the plan of a policy to the same end', () => {
    const sizes = [
      { promptTokens: 300, outputTokens: 50 },
      { promptTokens: 30, outputTokens: 250 },
    ];
    const workload = wave('on-off', { sizes, meanRps: 0.4, seed: 5 });
    const base = { ...cell([], 1), workload, engine: { ...ENGINE, perContextTokenMs: 0.001, seats: 8 } };
    const { outcome } = simulatePolicy(
      base,
      policy(({ observation: { traffic } }) => Math.ceil((traffic?.inFlight ?? 0) / 2)),
    );
    expect(outcome.changes).toBeGreaterThan(50);
    expect(simulatePlan(base, outcome.policy, outcome.plan).outcome).toEqual(outcome);
  });
});
