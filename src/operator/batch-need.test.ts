import { describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceBatch, InferenceBatchStatus } from '../api/generated/inference-batch.ts';
import { concernedBy, deploymentsOf, neededByBatches } from './batch-need.ts';

const NOW = new Date('2026-01-01T12:00:00Z');

function batch(status: InferenceBatchStatus, namespace = 'team-a'): InferenceBatch {
  return {
    metadata: { name: 'nightly', namespace },
    spec: { inputFileId: `file-${'0'.repeat(32)}`, endpoint: '/v1/chat/completions', apiKey: 'jobs' },
    status,
  };
}

function complete(status: 'True' | 'False'): NonNullable<InferenceBatchStatus['conditions']> {
  return [{ type: 'Complete', status, reason: 'Any', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' }];
}

function until(expiresAt: string): InferenceBatch {
  return batch({ deployment: 'chat', neededReplicas: 3, expiresAt });
}

describe('the deployment of a batch', () => {
  test('is one of its own namespace unless it says of which', () => {
    expect(deploymentsOf(batch({ deployment: 'chat', conditions: complete('False') }))).toEqual(['team-a/chat']);
    expect(deploymentsOf(batch({ deployment: 'team-b/chat' }))).toEqual(['team-b/chat']);
  });

  test('is none before it is known, and after the batch has ended or is deleted', () => {
    expect(deploymentsOf(batch({}))).toEqual([]);
    expect(deploymentsOf(batch({ deployment: 'chat', conditions: complete('True') }))).toEqual([]);
    const { metadata, ...rest } = batch({ deployment: 'chat' });
    expect(deploymentsOf({ ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })).toEqual(
      [],
    );
  });
});

describe('what batches need', () => {
  test('is the most that one of them needs', () => {
    const batches = [1, 4, 2].map((neededReplicas) => batch({ deployment: 'chat', neededReplicas }));
    expect(neededByBatches(inferenceDeployment(), batches, NOW)).toBe(4);
    expect(neededByBatches(inferenceDeployment(), [batch({ deployment: 'chat' })], NOW)).toBe(0);
    expect(neededByBatches(inferenceDeployment(), [], NOW)).toBe(0);
  });

  test('of another namespace counts where its keys reach the deployment', () => {
    const foreign = [batch({ deployment: 'team-a/chat', neededReplicas: 9 }, 'team-b')];
    expect(neededByBatches(inferenceDeployment(), foreign, NOW)).toBe(0);
    expect(neededByBatches(inferenceDeployment({ allowKeysFrom: ['team-c'] }), foreign, NOW)).toBe(0);
    expect(neededByBatches(inferenceDeployment({ allowKeysFrom: ['team-b'] }), foreign, NOW)).toBe(9);
  });

  test('is nothing once the window is over: where the batch process is away, nobody else would end it', () => {
    expect(neededByBatches(inferenceDeployment(), [until('2026-01-01T12:00:01Z')], NOW)).toBe(3);
    expect(neededByBatches(inferenceDeployment(), [until('2026-01-01T12:00:00Z')], NOW)).toBe(0);
  });
});

describe('a change of a batch', () => {
  const running = batch({ deployment: 'chat', neededReplicas: 2 });

  test('concerns its deployment when it comes, needs another count, ends or goes', () => {
    expect(concernedBy(running, undefined)).toEqual(['team-a/chat']);
    expect(concernedBy(batch({ deployment: 'chat', neededReplicas: 3 }), running)).toEqual(['team-a/chat']);
    const ended = batch({ deployment: 'chat', neededReplicas: 2, conditions: complete('True') });
    expect(concernedBy(ended, running)).toEqual(['team-a/chat']);
  });

  test('concerns none while only its counts grow', () => {
    const further = batch({ ...running.status, requests: { total: 9, completed: 3, failed: 0 } });
    expect(concernedBy(further, running)).toEqual([]);
    expect(concernedBy(batch({}), undefined)).toEqual([]);
  });
});
