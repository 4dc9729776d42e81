/** Pure: OpenAI's batch object, and how the CLI tells of one. */

export interface Batch {
  readonly id: string;
  readonly endpoint: string;
  readonly model: string | null;
  readonly status: string;
  readonly errors: { readonly data: readonly BatchError[] } | null;
  readonly input_file_id: string;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly usage?: { readonly input_tokens: number; readonly output_tokens: number };
}

interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly line: number | null;
}

const ENDED = new Set(['failed', 'completed', 'expired', 'cancelled']);

export function hasEnded({ status }: Batch): boolean {
  return ENDED.has(status);
}

/** Returns how much is done, such as `120 of 500 done, 3 failed`. */
export function countsOf({ request_counts: { total, completed, failed }, status }: Batch): string {
  if (total === 0) return status === 'validating' ? 'its input is being checked' : 'no request';
  return `${completed + failed} of ${total} done${failed === 0 ? '' : `, ${failed} failed`}`;
}

/** Returns the share that is done, undefined before the requests are counted. */
export function shareOf({ request_counts: { total, completed, failed } }: Batch): number | undefined {
  return total === 0 ? undefined : (completed + failed) / total;
}

/** Returns the first few things that are wrong with the input, a line each. */
export function inputErrors({ errors }: Batch, most = 5): string[] {
  const all = errors?.data ?? [];
  const lines = all.slice(0, most).map(({ line, message }) => (line === null ? message : `line ${line}: ${message}`));
  return all.length > most ? [...lines, `and ${all.length - most} more`] : lines;
}

/** Returns what to do with a batch as it stands. */
export function nextStep(batch: Batch): string {
  const { id, status, output_file_id: output, error_file_id: errors } = batch;
  if (status === 'failed') return 'Mend the input and submit it again.';
  if (!hasEnded(batch)) return `infer batch status ${id} --wait`;
  if (output === null && errors !== null) return `infer batch results ${id} --errors`;
  return `infer batch results ${id} --to FILE`;
}
