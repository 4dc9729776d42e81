import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { inferenceDeployment } from '../../test/support/resources.ts';
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { Decision } from './decision.ts';
import type { LiveCount } from './live-count.ts';
import type { ScalingTargets } from './observation.ts';
import { adopt, atFloor, standingOf, targetsOf, within, type Adoption, type Standing } from './standing.ts';

function targets(minReplicas: number, maxReplicas: number): ScalingTargets {
  return targetsOf(effectiveSpec(inferenceDeployment({ minReplicas, maxReplicas }).spec));
}

const decision = (replicas: number, more: Partial<Decision> = {}): Decision => ({
  replicas,
  reason: 'RequestRate',
  message: 'Many came.',
  candidates: {},
  ...more,
});

const steady: Standing = { replicas: 3, reason: 'RequestRate', message: 'Three for nine.' };

function adopted(more: Partial<Adoption> & { decision: Decision }): Standing {
  return adopt({
    standing: steady,
    targets: targets(0, 6),
    hasWork: false,
    fresh: true,
    staleMs: 0,
    steadyMs: 60_000,
    saidMs: 60_000,
    ...more,
  });
}

function status(scaling: InferenceDeploymentStatus['scaling']): InferenceDeploymentStatus {
  const limited = { type: 'ScalingLimited', status: 'True', reason: 'AtMax', message: 'm' } as const;
  return {
    ...(scaling && { scaling }),
    conditions: [{ ...limited, lastTransitionTime: '2026-01-01T00:00:00Z' }],
  };
}

const live = (replicas: number, isDecided = false): LiveCount => ({ replicas, isDecided });

const stale = (replicas: number): Decision => decision(replicas, { reason: 'SignalStale' });

describe('what stands before the first decision', () => {
  test('is what the status says, so that a new leader changes nothing', () => {
    const scaling = { desiredReplicas: 3, reason: 'RequestRate', message: 'Three for nine.' };
    expect(standingOf(status(scaling), live(1), targets(1, 6))).toEqual({ ...steady, limitedBy: 'AtMax' });
  });

  test('is the live count where there is no status any more', () => {
    expect(standingOf(undefined, live(4), targets(1, 6))).toMatchObject({ replicas: 4 });
    expect(standingOf(undefined, live(9), targets(1, 6))).toMatchObject({ replicas: 6 });
  });

  test('is the live count where the leader before raised it and did not live to tell', () => {
    const told = status({ desiredReplicas: 2, reason: 'RequestRate', message: 'Two for six.' });
    expect(standingOf(told, live(5, true), targets(1, 6))).toEqual({
      replicas: 5,
      reason: 'Steady',
      message: 'Holds the replicas that there were.',
    });
    expect(standingOf(told, live(9, true), targets(1, 6))).toMatchObject({ replicas: 6, reason: 'AtMax' });
    const zero = status({ desiredReplicas: 0, reason: 'ScaledToZero' });
    expect(standingOf(zero, live(1, true), targets(0, 6)).replicas).toBe(1);
  });

  test('is not the live count of a scale-down that drains, of others, or of one that is to grow', () => {
    const told = status({ desiredReplicas: 2, reason: 'RequestRate', message: 'Two for six.' });
    expect(standingOf(told, live(5), targets(1, 6)).replicas).toBe(2);
    expect(standingOf(told, live(1, true), targets(1, 6)).replicas).toBe(2);
    expect(standingOf(status({ desiredReplicas: 0, reason: 'Suspended' }), live(5, true), targets(1, 6)).replicas).toBe(
      1,
    );
  });

  test('is the floor of one that is new, or was suspended', () => {
    expect(standingOf(undefined, live(0), targets(2, 6))).toEqual(atFloor(targets(2, 6)));
    expect(standingOf(status({ desiredReplicas: 0, reason: 'Suspended' }), live(0), targets(2, 6))).toEqual(
      atFloor(targets(2, 6)),
    );
  });

  test('has the words of this version', () => {
    const scaling = { desiredReplicas: 1, reason: 'MinReplicas', message: 'As an older version said it.' };
    expect(standingOf(status(scaling), live(1), targets(1, 6))).toEqual(atFloor(targets(1, 6)));
  });

  test('what somebody else wrote there is no reason', () => {
    expect(standingOf(status({ desiredReplicas: 3, reason: 'Because' }), live(3), targets(1, 6))).toMatchObject({
      replicas: 3,
      reason: 'Steady',
    });
  });
});

describe('a decision', () => {
  test('stands where its count differs, and at once', () => {
    expect(adopted({ decision: decision(5), steadyMs: 0 })).toEqual({
      replicas: 5,
      reason: 'RequestRate',
      message: 'Many came.',
    });
    expect(adopted({ decision: decision(2), steadyMs: 0 }).replicas).toBe(2);
  });

  test('with other numbers in its message changes nothing', () => {
    expect(adopted({ decision: decision(3, { message: 'Three for 9.1.' }) })).toBe(steady);
  });

  test('with another reason or limit stands unless the last change was a moment ago', () => {
    expect(adopted({ decision: decision(3, { reason: 'Steady' }), steadyMs: 14_999 })).toBe(steady);
    expect(adopted({ decision: decision(3, { reason: 'Steady' }), steadyMs: 15_000 }).reason).toBe('Steady');
  });

  test('with a limit is told at once, and that there is none when that has lasted', () => {
    const limited = { ...steady, limitedBy: 'AtMax' as const };
    expect(adopted({ decision: decision(3, { limitedBy: 'AtMax' }), saidMs: 0 }).limitedBy).toBe('AtMax');
    expect(adopted({ standing: limited, decision: decision(3), saidMs: 59_999 })).toBe(limited);
    expect(adopted({ standing: limited, decision: decision(3), saidMs: 60_000 }).limitedBy).toBeUndefined();
  });

  test('is held to the bounds of the spec', () => {
    expect(within(targets(0, 2), steady)).toMatchObject({ replicas: 2, reason: 'AtMax' });
    expect(within(targets(4, 6), steady)).toEqual(atFloor(targets(4, 6)));
    expect(within(targets(3, 3), steady)).toBe(steady);
  });
});

describe('without the word of every gateway', () => {
  test('nothing changes for a while, and then only what is said', () => {
    expect(adopted({ decision: stale(3), fresh: false, staleMs: 29_999 })).toBe(steady);
    expect(adopted({ decision: stale(3), fresh: false, staleMs: 30_000 })).toMatchObject({
      replicas: 3,
      reason: 'SignalStale',
    });
  });

  test('what limited it before still does', () => {
    const limited = { ...steady, limitedBy: 'AtMax' as const };
    const next = adopted({ standing: limited, decision: stale(3), fresh: false, staleMs: 30_000 });
    expect(next).toMatchObject({ reason: 'SignalStale', limitedBy: 'AtMax' });
  });

  test('the count does not change, whatever the rule says', () => {
    expect(adopted({ decision: decision(1), fresh: false, staleMs: 60_000 }).replicas).toBe(3);
    expect(adopted({ decision: decision(5), fresh: false, staleMs: 60_000 }).replicas).toBe(3);
  });

  test('a request wakes what is at zero all the same', () => {
    const zero = atFloor(targets(0, 6));
    expect(adopted({ standing: zero, decision: stale(0), fresh: false, hasWork: true })).toMatchObject({
      replicas: 1,
      reason: 'Waking',
    });
    expect(adopted({ standing: zero, decision: stale(0), fresh: false })).toBe(zero);
  });
});

test('nothing wakes what nobody asks for', () => {
  const zero = atFloor(targets(0, 6));
  expect(adopted({ standing: zero, decision: decision(1, { reason: 'Waking' }) })).toBe(zero);
  expect(adopted({ standing: zero, decision: decision(2, { reason: 'Waking' }), hasWork: true }).replicas).toBe(2);
  expect(adopted({ standing: zero, decision: decision(1), targets: targets(1, 6) }).replicas).toBe(1);
});

test('whatever the rule says, the count stays within the bounds, and changes by a request alone on old numbers', () => {
  const counts = fc.integer({ min: -5, max: 50 });
  fc.assert(
    fc.property(
      counts,
      fc.nat({ max: 6 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat({ max: 90_000 }),
      (n, was, work, fresh, ms) => {
        const standing = { ...steady, replicas: was };
        const next = adopted({ standing, decision: decision(n), hasWork: work, fresh, staleMs: ms, steadyMs: ms });
        if (!fresh) expect(next.replicas).toBe(was === 0 && work ? 1 : was);
        expect(next.replicas).toBeGreaterThanOrEqual(0);
        expect(next.replicas).toBeLessThanOrEqual(6);
      },
    ),
  );
});
