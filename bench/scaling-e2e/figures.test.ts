import { expect, test } from '@jest/globals';
import type { Outcome, Workload } from '../autoscaler/types.ts';
import { lateness, outcomeOf, ratiosOf } from './figures.ts';
import type { Sent } from './sender.ts';

const workload: Workload = {
  name: 'test',
  requests: [0, 1_000, 2_000, 3_000].map((arrivalMs) => ({ arrivalMs, promptTokens: 10, outputTokens: 10 })),
  warmUpMs: 1_000,
  endMs: 4_000,
  minReplicas: 1,
};

function sent(arrivalMs: number, tookMs: number, outcome: Sent['outcome'] = 'ok'): Sent {
  return {
    outcome,
    fault: '',
    sentAtMs: arrivalMs + 2,
    firstTokenAtMs: outcome === 'ok' ? arrivalMs + 50 : undefined,
    endedAtMs: arrivalMs + tookMs,
  };
}

const ANSWERS = [sent(0, 9_000), sent(1_000, 400), sent(2_000, 600), sent(3_000, 100, 'failed')];

test('latencies begin at the arrival, what failed is late, and the warm-up does not count', () => {
  const plan = [
    [0, 2],
    [500, 3],
    [2_000, 4],
    [3_000, 3],
  ] as const;
  const outcome = outcomeOf(ANSWERS, { workload, targetLatencyMs: 500, gpuHours: 1, plan });
  expect(outcome).toMatchObject({ attainment: 1 / 3, gpuHours: 1, changes: 2, reversals: 1 });
  expect(outcome.latencyP99Ms).toBe(6_000);
});

test('lateness of sending is of what is scored', () => {
  expect([...lateness(ANSWERS, workload)]).toEqual([2, 2, 2]);
});

function outcome(changes: number, gpuHours: number): Outcome {
  return { ...outcomeOf(ANSWERS, { workload, targetLatencyMs: 500, gpuHours, plan: [] }), changes };
}

test('a ratio is measured over predicted', () => {
  expect(ratiosOf(outcome(3, 1), outcome(2, 3))).toMatchObject({ attainment: 1, changes: 1.5, gpuHours: 0.333 });
  expect(ratiosOf(outcome(3, 1), outcome(0, 1))['changes']).toBeNull();
  expect(ratiosOf(outcome(0, 1), outcome(0, 1))['changes']).toBe(1);
});
