import { describe, expect, test } from '@jest/globals';
import type { InferenceBatch, InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { batchObject, firstErrors, stateOf } from './batch-object.ts';

const INPUT = `file-${'1'.repeat(32)}`;

function batch(
  reason?: string,
  { cancel, ...status }: InferenceBatchStatus & { cancel?: boolean } = {},
): InferenceBatch {
  const conditions = reason && [
    { type: 'Complete', status: 'False' as const, reason, message: '', lastTransitionTime: '2026-11-22T10:00:00Z' },
  ];
  return {
    metadata: { namespace: 'team-a', name: 'nightly', uid: 'uid', creationTimestamp: '2026-11-22T10:00:00Z' },
    spec: { inputFileId: INPUT, endpoint: '/v1/embeddings', apiKey: 'web', ...(cancel && { cancel }) },
    status: { ...(conditions && { conditions }), ...status },
  };
}

const CREATED = Date.UTC(2026, 10, 22, 10) / 1000;

test('a batch that nobody has looked at yet is validating, with every field of the object', () => {
  const { status: _none, ...fresh } = batch();
  expect(batchObject(fresh, [])).toEqual({
    id: 'batch_nightly',
    object: 'batch',
    endpoint: '/v1/embeddings',
    model: null,
    errors: null,
    input_file_id: INPUT,
    completion_window: '24h',
    status: 'validating',
    output_file_id: null,
    error_file_id: null,
    created_at: CREATED,
    in_progress_at: null,
    expires_at: CREATED + 86_400,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    metadata: null,
  });
});

test('a batch that is done shows what it did and when', () => {
  const done = batch('Completed', {
    model: 'llama-8b',
    requests: { total: 10, completed: 7, failed: 3 },
    usage: { promptTokens: 100, cachedTokens: 40, completionTokens: 20 },
    outputFileId: `file-${'2'.repeat(32)}`,
    errorFileId: `file-${'3'.repeat(32)}`,
    inProgressAt: '2026-11-22T10:00:01Z',
    expiresAt: '2026-11-23T10:00:05Z',
    finalizingAt: '2026-11-22T10:00:02Z',
    completedAt: '2026-11-22T10:00:03.9Z',
  });
  done.spec.metadata = { project: 'labels' };
  expect(batchObject(done, [])).toMatchObject({
    status: 'completed',
    model: 'llama-8b',
    output_file_id: `file-${'2'.repeat(32)}`,
    error_file_id: `file-${'3'.repeat(32)}`,
    in_progress_at: CREATED + 1,
    expires_at: CREATED + 86_405,
    finalizing_at: CREATED + 2,
    completed_at: CREATED + 3,
    request_counts: { total: 10, completed: 7, failed: 3 },
    usage: {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 40 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 120,
    },
    metadata: { project: 'labels' },
  });
});

test.each([
  ['Failed', 'failedAt', 'failed_at'],
  ['Expired', 'expiredAt', 'expired_at'],
  ['Cancelling', 'cancellingAt', 'cancelling_at'],
  ['Cancelled', 'cancelledAt', 'cancelled_at'],
])('%s has its time in %s', (reason, field, shown) => {
  const object = batchObject(batch(reason, { [field]: '2026-11-22T10:00:09Z' }), []);
  expect(object).toMatchObject({ status: reason.toLowerCase(), [shown]: CREATED + 9 });
});

test('files are shown when they are there, not when their ids are fixed', () => {
  const ids = { outputFileId: INPUT, errorFileId: INPUT };
  const shown = (reason: string): unknown[] => {
    const { output_file_id: output, error_file_id: error } = batchObject(batch(reason, ids), []);
    return [output, error];
  };
  for (const reason of ['InProgress', 'Finalizing', 'Cancelling']) expect(shown(reason)).toEqual([null, null]);
  for (const reason of ['Completed', 'Expired', 'Cancelled']) expect(shown(reason)).toEqual([INPUT, INPUT]);
});

test('that a batch expired is shown once its files are there', () => {
  const status = { expiredAt: '2026-11-22T10:00:09Z' };
  const shown = ['Finalizing', 'Expired'].map((reason) => batchObject(batch(reason, status), []).expired_at);
  expect(shown).toEqual([null, CREATED + 9]);
});

test('errors are a list of their own', () => {
  const failed = batch('Failed', {
    errors: [
      { code: 'invalid_url', message: 'No.', param: 'url', line: 3 },
      { code: 'empty_file', message: 'Empty.' },
    ],
  });
  expect(batchObject(failed, firstErrors(failed.status)).errors).toEqual({
    object: 'list',
    data: [
      { code: 'invalid_url', message: 'No.', param: 'url', line: 3 },
      { code: 'empty_file', message: 'Empty.', param: null, line: null },
    ],
  });
});

describe('a batch that is to be cancelled', () => {
  test.each([
    [undefined, 'cancelling'],
    ['Validating', 'cancelling'],
    ['InProgress', 'cancelling'],
    ['Cancelling', 'cancelling'],
    ['Finalizing', 'finalizing'],
    ['Completed', 'completed'],
    ['Failed', 'failed'],
    ['Expired', 'expired'],
    ['Cancelled', 'cancelled'],
  ])('and was %s is %s', (reason, state) => {
    expect(stateOf(batch(reason, { cancel: true }))).toBe(state);
  });
});
