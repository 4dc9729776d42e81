import { expect, test } from '@jest/globals';
import { addChoice, FULL_TRUST, trustAt, type Trust } from './trust.ts';

const MINUTE_MS = 60_000;

/** Four replicas become three at `atMs`, and are asked for again because of `reason` after `againMs`. */
function afterStep(againMs: number, reason: 'Latency' | 'Saturated' | 'RequestRate', carried = 0.9): Trust {
  const lowered = addChoice(FULL_TRUST, { wanted: 3, reason: 'Steady' }, { current: 4, carried: 0.7, nowMs: 0 });
  return addChoice(lowered, { wanted: 4, reason }, { current: 3, carried, nowMs: againMs });
}

test('is full before anything failed', () => {
  expect(trustAt(FULL_TRUST, 0)).toBe(1);
});

test.each(['Latency', 'Saturated'] as const)(
  'a step down that %s takes back soon lowers it to what failed',
  (reason) => {
    expect(trustAt(afterStep(MINUTE_MS, reason), 2 * MINUTE_MS)).toBe(0.9);
  },
);

test('a load that rises, or a net that comes late, says nothing of the step', () => {
  expect(trustAt(afterStep(MINUTE_MS, 'RequestRate'), 2 * MINUTE_MS)).toBe(1);
  expect(trustAt(afterStep(10 * MINUTE_MS, 'Latency'), 11 * MINUTE_MS)).toBe(1);
});

test('is full again after two hours', () => {
  const trust = afterStep(MINUTE_MS, 'Latency');
  expect(trustAt(trust, 120 * MINUTE_MS)).toBe(0.9);
  expect(trustAt(trust, 122 * MINUTE_MS)).toBe(1);
});

test('falls with each failure, and never so far that one burst doubles the replicas', () => {
  const trust = afterStep(MINUTE_MS, 'Latency');
  const again = addChoice(trust, { wanted: 4, reason: 'Latency' }, { current: 3, carried: 0.95, nowMs: 2 * MINUTE_MS });
  expect(trustAt(again, 3 * MINUTE_MS)).toBe(0.9);
  expect(trustAt(afterStep(MINUTE_MS, 'Latency', 0.2), 2 * MINUTE_MS)).toBe(0.7);
});

test('more than was learned is carried by nobody: a failure there is the load, not the step', () => {
  expect(trustAt(afterStep(MINUTE_MS, 'Latency', 3), 2 * MINUTE_MS)).toBe(1);
});

test('a clock that goes back forgets', () => {
  const trust = afterStep(MINUTE_MS, 'Latency');
  expect(trustAt(trust, -60 * MINUTE_MS)).toBe(1);
});
