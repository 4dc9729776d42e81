import { describe, expect, test } from '@jest/globals';
import type { InferenceDeploymentStatusScaling } from '../api/generated/inference-deployment.ts';
import type { Standing } from '../autoscaler/standing.ts';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { Deployment } from '../api/kubernetes.ts';
import { recordScaling } from './record-events.ts';
import { actedOn, shownDecision } from './scaling-status.ts';

const NOW = new Date('2026-01-01T00:00:00.500Z');
const standing = (replicas: number, more: Partial<Standing> = {}): Standing => ({
  replicas,
  reason: 'Latency',
  message: 'p95 7.1 s > 5.0 s.',
  ...more,
});

test('a change of the count is the first of the recent ones', () => {
  const before = shownDecision(standing(2), { desiredReplicas: 1 }, new Date('2025-12-31T00:00:00Z'));
  expect(shownDecision(standing(4), before, NOW)).toEqual({
    desiredReplicas: 4,
    reason: 'Latency',
    message: 'p95 7.1 s > 5.0 s.',
    lastScaleTime: '2026-01-01T00:00:00Z',
    recent: [
      {
        time: '2026-01-01T00:00:00Z',
        from: 2,
        to: 4,
        reason: 'Latency',
        message: 'p95 7.1 s > 5.0 s.',
      },
      { time: '2025-12-31T00:00:00Z', from: 1, to: 2, reason: 'Latency', message: 'p95 7.1 s > 5.0 s.' },
    ],
  });
});

test('the same count, the first one, and what others write are no changes', () => {
  const shown = { desiredReplicas: 4, reason: 'Latency', message: 'p95 7.1 s > 5.0 s.' };
  expect(shownDecision(standing(4), undefined, NOW)).toEqual(shown);
  expect(shownDecision(standing(4), { desiredReplicas: 4 }, NOW)).toEqual(shown);
  expect(shownDecision(standing(4, { reason: 'ReplicasContested' }), { desiredReplicas: 2 }, NOW)).toEqual({
    ...shown,
    reason: 'ReplicasContested',
  });
});

test('five changes are kept', () => {
  let shown: InferenceDeploymentStatusScaling = { desiredReplicas: 0 };
  for (let replicas = 1; replicas < 9; replicas += 1) shown = shownDecision(standing(replicas), shown, NOW);
  expect(shown.recent?.map(({ to }) => to)).toEqual([8, 7, 6, 5, 4]);
});

test('each change of the count is one Event', () => {
  const events: string[] = [];
  const record = (_: unknown, { reason, message }: { reason: string; message: string }): void =>
    void events.push(`${reason} ${message}`);
  let resource = inferenceDeployment();
  for (const replicas of [1, 1, 3, 3, 2]) {
    const scaling = shownDecision(standing(replicas), resource.status?.scaling, NOW);
    recordScaling(resource, { scaling }, { record });
    resource = { ...resource, status: { scaling } };
  }
  const scaling = shownDecision(
    standing(4, { message: '2 → 4: the rule says so itself.' }),
    resource.status?.scaling,
    NOW,
  );
  recordScaling(resource, { scaling }, { record });
  expect(events.pop()).toBe('ScaledUp 2 → 4: the rule says so itself.');
  expect(events).toEqual(['ScaledUp 1 → 3: p95 7.1 s > 5.0 s.', 'ScaledDown 3 → 2: p95 7.1 s > 5.0 s.']);
});

const live = (replicas: number): Deployment => ({ metadata: {}, spec: { replicas } }) as Deployment;

describe('where the spec cannot be acted on', () => {
  test('the count may go down, but no replica of a former spec is added', () => {
    expect(actedOn(standing(5), { mayScaleDown: true }, live(2))).toMatchObject({
      replicas: 2,
      message: expect.stringMatching(/^Holds the replicas that there are/),
    });
    expect(actedOn(standing(1), { mayScaleDown: true }, live(2))).toEqual(standing(1));
  });

  test('and the children are not ours or not there, the count is left alone', () => {
    expect(actedOn(standing(5), {}, live(2))).toBeUndefined();
    expect(actedOn(standing(5), { mayScaleDown: true }, undefined)).toBeUndefined();
  });
});
