import { expect, test } from '@jest/globals';
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import type { EventInput } from '../kube/events.ts';
import { transitionRecorder } from './record-events.ts';

function batch(reason?: string, uid = 'uid-1', resourceVersion = `${uid}-${reason}`): InferenceBatch {
  const time = { lastTransitionTime: '2026-11-25T10:00:00Z' };
  const condition = reason && {
    type: 'Complete',
    status: 'False' as const,
    reason,
    message: `It is ${reason}.`,
    ...time,
  };
  return {
    metadata: { name: 'labels', namespace: 'team-a', uid, resourceVersion },
    spec: { inputFileId: 'file-1', endpoint: '/v1/chat/completions', apiKey: 'nightly' },
    ...(condition && { status: { conditions: [condition] } }),
  };
}

test('each state is told once, also while the cache is behind and of what was told by the process before', () => {
  const told: string[] = [];
  const record = transitionRecorder({
    record: (_: unknown, { type, reason, message }: EventInput) => void told.push(`${type} ${reason}: ${message}`),
  });
  record(batch(), batch('InProgress'));
  record(batch(), batch('InProgress'));
  record(batch('InProgress', 'uid-1', 'other'), batch('InProgress'));
  record(batch('InProgress'), batch('Finalizing'));
  record(batch('InProgress'), batch('Completed'));
  record(batch('Completed'), batch('Completed'));
  // Told by the process before this one.
  record(batch('InProgress', 'uid-2', 'other'), batch('InProgress', 'uid-2'));
  record(batch('InProgress', 'uid-2'), batch('Expired', 'uid-2'));
  // The cache has the write before its answer has come.
  record(batch('InProgress', 'uid-3'), batch('InProgress', 'uid-3'));
  expect(told).toEqual([
    'Normal InProgress: It is InProgress.',
    'Normal Finalizing: It is Finalizing.',
    'Normal Completed: It is Completed.',
    'Warning Expired: It is Expired.',
    'Normal InProgress: It is InProgress.',
  ]);
});
