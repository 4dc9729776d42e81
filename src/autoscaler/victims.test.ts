import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { planScaleDown, type LiveReplica, type ScaleDownInput } from './victims.ts';

const NOW = 1_000_000;

function replica(podUid: string, state: Partial<LiveReplica> = {}): LiveReplica {
  return { podUid, ready: true, markedAtMs: undefined, createdAtMs: 0, inFlight: 0, ...state };
}

function names(list: readonly LiveReplica[]): string[] {
  return list.map(({ podUid }) => podUid).toSorted();
}

function plan(replicas: LiveReplica[], wanted: number, more: Partial<ScaleDownInput> = {}): unknown {
  const step = planScaleDown({
    wanted,
    current: replicas.length,
    replicas,
    unobserved: false,
    rollingOut: false,
    isDrained: () => false,
    isPartial: false,
    drainTimeoutMs: 120_000,
    sinceMs: 0,
    suspended: false,
    nowMs: NOW,
    ...more,
  });
  return {
    replicas: step.replicas,
    ...(step.mark.length > 0 && { mark: names(step.mark) }),
    ...(step.unmark.length > 0 && { unmark: names(step.unmark) }),
    ...(step.waitMs !== undefined && { waitMs: step.waitMs }),
  };
}

const [a, b, c] = [replica('a', { inFlight: 2 }), replica('b', { inFlight: 1 }), replica('c', { inFlight: 3 })];
const marked = (of: LiveReplica, ageMs = 1_000): LiveReplica => ({ ...of, markedAtMs: NOW - ageMs });

describe('a scale-down', () => {
  test('marks the replica with the least work and waits', () => {
    expect(plan([a, b, c], 2)).toEqual({ replicas: 3, mark: ['b'], waitMs: 120_000 });
  });

  test('of equal ones takes the youngest', () => {
    const all = [replica('old', { createdAtMs: 1 }), replica('new', { createdAtMs: 2 })];
    expect(plan(all, 1)).toMatchObject({ mark: ['new'] });
  });

  test('keeps to a victim that it has marked, though another has less work by now', () => {
    expect(plan([marked(a), b, c], 2)).toEqual({ replicas: 3, waitMs: 119_000 });
  });

  test('lowers the count when every gateway has let go of the victim', () => {
    expect(plan([a, marked(b), c], 2, { isDrained: (podUid) => podUid === 'b' })).toEqual({ replicas: 2 });
  });

  test('lowers the count when the drain timeout is over', () => {
    expect(plan([a, marked(b, 120_000), c], 2)).toEqual({ replicas: 2 });
  });

  test('under a new leader has the whole timeout to hear of the gateways', () => {
    const all = [a, marked(b, 500_000), c];
    expect(plan(all, 2, { sinceMs: NOW - 1_000 })).toEqual({ replicas: 3, waitMs: 119_000 });
    expect(plan(all, 2, { sinceMs: NOW - 1_000, isDrained: () => true })).toEqual({ replicas: 2 });
    expect(plan(all, 2, { sinceMs: NOW - 120_000 })).toEqual({ replicas: 2 });
  });

  test('to none goes by no timeout while a gateway is silent, and is looked at again', () => {
    const old = marked(a, 500_000);
    expect(plan([old], 0, { isPartial: true })).toEqual({ replicas: 1, waitMs: 5_000 });
    expect(plan([marked(a)], 0, { isPartial: true })).toEqual({ replicas: 1, waitMs: 119_000 });
    expect(plan([old], 0)).toEqual({ replicas: 0 });
    expect(plan([old, b], 1, { isPartial: true })).toEqual({ replicas: 1 });
  });

  test('by two waits for both', () => {
    const both = [marked(a), marked(b), c];
    expect(plan(both, 1, { isDrained: (podUid) => podUid === 'b' })).toEqual({ replicas: 3, waitMs: 119_000 });
    expect(plan(both, 1, { isDrained: () => true })).toEqual({ replicas: 1 });
  });

  test('keeps the marks while Kubernetes has yet to remove the marked ones', () => {
    expect(plan([a, marked(b), c], 2, { current: 2 })).toEqual({ replicas: 2 });
  });

  test('to none drains like any other', () => {
    expect(plan([a], 0)).toEqual({ replicas: 1, mark: ['a'], waitMs: 120_000 });
    expect(plan([marked(a)], 0)).toEqual({ replicas: 1, waitMs: 119_000 });
    expect(plan([marked(a)], 0, { isDrained: () => true })).toEqual({ replicas: 0 });
  });

  test('by suspension chooses nobody and waits for nothing', () => {
    expect(plan([a, b, c], 0, { suspended: true })).toEqual({ replicas: 0 });
  });
});

test('nothing is lowered on the status of another spec', () => {
  expect(plan([a, b, c], 2, { unobserved: true })).toEqual({ replicas: 3 });
  expect(plan([a, b, c], 2, { unobserved: true, rollingOut: true })).toEqual({ replicas: 3 });
});

describe('marks are taken back', () => {
  test('when the scale-down is no longer wanted', () => {
    expect(plan([a, marked(b), c], 3)).toEqual({ replicas: 3, unmark: ['b'] });
    expect(plan([a, marked(b), c], 5)).toEqual({ replicas: 5, unmark: ['b'] });
  });

  test('when another pod went instead', () => {
    expect(plan([a, marked(b)], 2, { current: 2 })).toEqual({ replicas: 2, unmark: ['b'] });
  });

  test('from the later one when fewer are to go than before', () => {
    expect(plan([marked(a, 5_000), marked(b, 9_000), c], 2)).toMatchObject({ replicas: 3, unmark: ['a'] });
  });
});

describe('Kubernetes chooses', () => {
  const starting = replica('s', { ready: false });

  test('a replica that is not ready, before any other', () => {
    expect(plan([a, b, starting], 2)).toEqual({ replicas: 2 });
    expect(plan([a, b, c, starting], 2)).toEqual({ replicas: 3 });
  });

  test('one that was not even created', () => {
    expect(plan([a, b], 2, { current: 3 })).toEqual({ replicas: 2 });
  });

  test('during a rollout, also while it has one more', () => {
    expect(plan([a, b, c], 2, { rollingOut: true })).toEqual({ replicas: 2 });
    expect(plan([a, b, c], 1, { current: 2, rollingOut: true })).toEqual({ replicas: 1 });
  });
});

test('whatever is seen, the count stays between the wanted and the present one, and enough replicas stay unmarked', () => {
  const replicas = fc
    .array(
      fc.record({
        ready: fc.boolean(),
        markedAtMs: fc.option(fc.integer({ min: NOW - 200_000, max: NOW }), { nil: undefined }),
        createdAtMs: fc.nat(),
        inFlight: fc.nat({ max: 9 }),
      }),
      { maxLength: 8 },
    )
    .map((list) => list.map((state, at) => replica(`pod-${at}`, state)));
  fc.assert(
    fc.property(replicas, fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.boolean(), (list, wanted, current, drained) => {
      const input = {
        wanted,
        current,
        replicas: list,
        unobserved: false,
        rollingOut: false,
        isPartial: false,
        drainTimeoutMs: 120_000,
        sinceMs: 0,
        suspended: false,
        nowMs: NOW,
      };
      const step = planScaleDown({ ...input, isDrained: () => drained });
      expect(step.replicas).toBeGreaterThanOrEqual(Math.min(wanted, current));
      expect(step.replicas).toBeLessThanOrEqual(Math.max(wanted, current));
      const after = list.filter(
        (each) => (each.markedAtMs !== undefined || step.mark.includes(each)) && !step.unmark.includes(each),
      );
      if (step.mark.length > 0) expect(after.length).toBeLessThanOrEqual(current - wanted);
      expect(step.mark.every(({ ready }) => ready)).toBe(true);
    }),
  );
});
