import { describe, expect, test } from '@jest/globals';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { choose, type Choice } from './choose.ts';
import type { ReplicaCounts } from './observation.ts';

const NOW_MS = 1_000_000;
const NONE = { rate: 0, settled: 0, latency: 0, saturation: 0, batch: 0 };

function chosen(candidates: Partial<typeof NONE>, counts: Partial<ReplicaCounts>, kept = 0): Choice {
  const { current = 1, ready = current } = counts;
  return choose(
    {
      recommendations: kept === 0 ? [] : [{ atMs: NOW_MS, replicas: kept }],
      kept: { replicas: 0, because: 'regret' },
      busyAtMs: NOW_MS,
    },
    { ...NONE, ...candidates },
    { pending: 0, blocked: 0, blockedBy: undefined, startTimesMs: [], ...counts, current, ready },
    TARGETS,
    NOW_MS,
  );
}

describe('what is kept to spare', () => {
  test('is steady, and says so', () => {
    expect(chosen({ rate: 3, settled: 4 }, { current: 4 }, 4)).toMatchObject({
      wanted: 4,
      reason: 'Steady',
      isClose: true,
    });
  });

  test('is no reason to buy', () => {
    expect(chosen({ rate: 3, settled: 4 }, { current: 3 }, 4)).toEqual({
      wanted: 3,
      needed: 3,
      reason: 'Steady',
    });
  });

  test('is not what the window keeps', () => {
    expect(chosen({ rate: 2, settled: 3 }, { current: 4 }, 4)).toEqual({
      wanted: 4,
      needed: 2,
      reason: 'Stabilizing',
    });
  });
});

/** Returns the choice of six replicas where `replicas` are kept, and two or none are needed. */
function keeping(replicas: number, counts: Partial<ReplicaCounts>, idleForMs = 0): Choice {
  return choose(
    { recommendations: [], kept: { replicas, because: 'surge' }, busyAtMs: NOW_MS - idleForMs },
    { ...NONE, rate: idleForMs > 0 ? 0 : 2 },
    { current: 6, ready: 6, pending: 0, blocked: 0, blockedBy: undefined, startTimesMs: [], ...counts },
    { ...TARGETS, minReplicas: 0 },
    NOW_MS,
  );
}

describe('what is kept since it was missed before', () => {
  test('stays, and says why', () => {
    expect(keeping(5, {})).toMatchObject({ wanted: 5, reason: 'Stabilizing', keptBecause: 'surge' });
  });

  test('is not waited for where there is no room for it', () => {
    expect(keeping(5, { ready: 3, blocked: 3, blockedBy: 'WaitingForGPU' }).wanted).toBe(3);
  });

  test('is not thrown away for a moment in which it fails', () => {
    expect(keeping(5, { ready: 3, blocked: 3, blockedBy: 'Failing' }).wanted).toBe(5);
  });

  test('is no idle replica that goes to zero soon', () => {
    expect(keeping(1, { current: 1, ready: 1 }, 700_000)).toMatchObject({ wanted: 1, reason: 'Stabilizing' });
    expect(keeping(0, { current: 1, ready: 1 }, 500_000)).toMatchObject({ wanted: 1, reason: 'Idle' });
  });
});

describe('batches', () => {
  test('that need the most say so on the way up, whatever is kept to spare', () => {
    const choice = chosen({ rate: 4, settled: 6, batch: 5 }, { current: 4 });
    expect(choice).toMatchObject({ wanted: 5, reason: 'Batches', batchReplicas: 5 });
  });

  test('are no reason for more than they need', () => {
    const choice = chosen({ rate: 2, settled: 4, batch: 3 }, { current: 4 }, 4);
    expect(choice).toMatchObject({ wanted: 4, reason: 'Steady', isClose: true });
    expect(choice.batchReplicas).toBeUndefined();
  });
});
