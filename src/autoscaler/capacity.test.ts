import { expect, test } from '@jest/globals';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { after, minuteWith } from '../../test/support/taught-minutes.ts';
import { assumedCapacity, capacityOf, lateBudgetOf, UNLEARNED } from './capacity.ts';
import { learn } from './learning.ts';
import { NO_THROUGHPUT } from './throughput.ts';

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

test.each([
  ['nothing was seen', 0, TARGETS.targetRps, false],
  ['replicas got one a second done in a queue', 100, 0.84, true],
  ['what they got done has faded', 0.02, 4.92, false],
])(
  'until something is learned a replica is taken for the lesser, and said to be so: %s',
  (_what, left, rps, bounded) => {
    const model = { ...UNLEARNED, throughput: { ...NO_THROUGHPUT, left, replicaSeconds: left } };
    const capacity = assumedCapacity(model, TARGETS);
    expect(capacity.requestsPerSecond).toBeCloseTo(rps, 2);
    expect(capacity.isBounded).toBe(bounded);
  },
);
