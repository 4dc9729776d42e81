import { expect, test } from '@jest/globals';
import type { ScalingReason } from './explain.ts';
import { addDecision, FULL_TRUST, trustAt, type Trust } from './trust.ts';

const MINUTE_MS = 60_000;

/** What follows in time: after how many minutes, from how many to how many and why, at which load over what was learned. */
type Step = [minutes: number, from: number, to: number, reason: ScalingReason, carried: number];

function after(...steps: Step[]): Trust {
  return steps.reduce(
    (trust, [minutes, from, to, reason, carried]) =>
      addDecision(trust, { from, to, reason }, { carried, nowMs: minutes * MINUTE_MS }),
    FULL_TRUST,
  );
}

const DOWN: Step = [0, 4, 3, 'Steady', 0.7];

function at(minutes: number, trust: Trust): number {
  return trustAt(trust, minutes * MINUTE_MS);
}

test('is full before anything failed', () => {
  expect(at(0, FULL_TRUST)).toBe(1);
});

test.each(['Latency', 'Saturated'] as const)(
  'a step down that %s takes back soon lowers it to what failed',
  (reason) => {
    expect(at(2, after(DOWN, [1, 3, 4, reason, 0.9]))).toBe(0.9);
  },
);

test('where nothing went, nothing failed', () => {
  expect(at(2, after([0, 3, 3, 'MinReplicas', 0.2], [1, 3, 4, 'Latency', 0.9]))).toBe(1);
});

test('a load that rises, or a net that comes late, says nothing of the step', () => {
  expect(at(2, after(DOWN, [1, 3, 4, 'RequestRate', 0.9]))).toBe(1);
  expect(at(11, after(DOWN, [10, 3, 4, 'Latency', 0.9]))).toBe(1);
});

test.each(['Latency', 'RequestRate'] as const)(
  'what is asked for after %s took the step back is not its failure',
  (reason) => {
    const trust = after(DOWN, [1, 3, 4, reason, 0.9], [2, 4, 5, 'Latency', 0.75]);
    expect(at(3, trust)).toBe(reason === 'Latency' ? 0.9 : 1);
  },
);

test('to go to zero and to wake is no failure', () => {
  const trust = after([0, 1, 0, 'ScaledToZero', 0], [1, 0, 1, 'Waking', 0], [2, 1, 2, 'Saturated', 0.5]);
  expect(at(3, trust)).toBe(1);
});

test('is full again after two hours', () => {
  const trust = after(DOWN, [1, 3, 4, 'Latency', 0.9]);
  expect(at(120, trust)).toBe(0.9);
  expect(at(122, trust)).toBe(1);
});

test('falls with each failure, and never so far that one burst doubles the replicas', () => {
  expect(at(4, after(DOWN, [1, 3, 4, 'Latency', 0.9], [2, 4, 3, 'Steady', 0.6], [3, 3, 4, 'Latency', 0.8]))).toBe(0.8);
  expect(at(2, after(DOWN, [1, 3, 4, 'Latency', 0.2]))).toBe(0.7);
});

test('a load above what is trusted was not what replicas were let go for: it neither lowers nor prolongs', () => {
  expect(at(2, after(DOWN, [1, 3, 4, 'Latency', 1]))).toBe(1);
  const trust = after(DOWN, [1, 3, 4, 'Latency', 0.9], [110, 4, 3, 'Steady', 0.8], [112, 3, 4, 'Latency', 0.95]);
  expect(at(113, trust)).toBe(0.9);
  expect(at(122, trust)).toBe(1);
});

test('what a clock that went back leaves in the future counts for nothing', () => {
  expect(at(-60, after(DOWN, [1, 3, 4, 'Latency', 0.9]))).toBe(1);
});
