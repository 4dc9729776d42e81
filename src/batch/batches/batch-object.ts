/** An InferenceBatch as OpenAI's batch object. */
import type { InferenceBatch, InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { isFinal, stateOf as reasonOf, windowEnd, type BatchState as Reason } from '../worker/state.ts';
import { batchIdOf } from './batch-id.ts';

export type BatchState =
  'validating' | 'failed' | 'in_progress' | 'finalizing' | 'completed' | 'expired' | 'cancelling' | 'cancelled';

const STATES: Readonly<Record<Reason, BatchState>> = {
  Validating: 'validating',
  Failed: 'failed',
  InProgress: 'in_progress',
  Finalizing: 'finalizing',
  Completed: 'completed',
  Expired: 'expired',
  Cancelling: 'cancelling',
  Cancelled: 'cancelled',
};

/** One error that validation found. */
export interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** The first is 1; null where it is of no line. */
  readonly line: number | null;
}

/** True once nothing will change any more. */
export function hasEnded(batch: InferenceBatch): boolean {
  return isFinal(reasonOf(batch));
}

/** Returns the state of a batch. One that is to be cancelled is being cancelled, before the worker has seen it too. */
export function stateOf(batch: InferenceBatch): BatchState {
  const state = STATES[reasonOf(batch)];
  return batch.spec.cancel === true && (state === 'validating' || state === 'in_progress') ? 'cancelling' : state;
}

/** Returns the first errors of the input, which the resource itself holds. */
export function firstErrors(status: InferenceBatchStatus | undefined): BatchError[] {
  return (status?.errors ?? []).map(({ code, message, param, line }) => ({
    code,
    message,
    param: param ?? null,
    line: line ?? null,
  }));
}

/** Returns OpenAI's object of a batch with these errors: all fields, null where there is nothing yet. */
export function batchObject(batch: InferenceBatch, errors: readonly BatchError[]) {
  const { metadata, spec, status = {} } = batch;
  // The ids of its files, and that it expired, are fixed before the files are there.
  const ended = hasEnded(batch) ? status : {};
  return {
    id: batchIdOf(metadata.name),
    object: 'batch',
    endpoint: spec.endpoint,
    model: status.model ?? null,
    errors: errors.length === 0 ? null : { object: 'list', data: errors },
    input_file_id: spec.inputFileId,
    completion_window: spec.completionWindow ?? '24h',
    status: stateOf(batch),
    output_file_id: ended.outputFileId ?? null,
    error_file_id: ended.errorFileId ?? null,
    created_at: seconds(metadata.creationTimestamp),
    in_progress_at: seconds(status.inProgressAt),
    expires_at: seconds(status.expiresAt) ?? Math.floor(windowEnd(batch) / 1000),
    finalizing_at: seconds(status.finalizingAt),
    completed_at: seconds(status.completedAt),
    failed_at: seconds(status.failedAt),
    expired_at: seconds(ended.expiredAt),
    cancelling_at: seconds(status.cancellingAt),
    cancelled_at: seconds(status.cancelledAt),
    request_counts: requestCounts(status),
    usage: usage(status),
    metadata: spec.metadata ?? null,
  };
}

function requestCounts({ requests }: InferenceBatchStatus) {
  return { total: requests?.total ?? 0, completed: requests?.completed ?? 0, failed: requests?.failed ?? 0 };
}

function usage({ usage: tokens }: InferenceBatchStatus) {
  const { promptTokens = 0, cachedTokens = 0, completionTokens = 0 } = tokens ?? {};
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    // Engines do not tell them apart.
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + completionTokens,
  };
}

/** Returns Unix seconds. */
function seconds(time: string | undefined): number | null {
  return time === undefined ? null : Math.floor(Date.parse(time) / 1000);
}
