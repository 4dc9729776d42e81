/** All that validation found wrong with an input: the resource holds the first, the store all. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { errorsKey } from '../worker/keys.ts';
import { firstErrors, type BatchError } from './batch-object.ts';

/** Shown of them at most: some thousand errors. */
const MAX_BYTES = 256 * 1024;

/** Returns the errors of a batch. Throws StoreUnavailable where there are more than the resource holds. */
export async function errorsOf(store: ObjectStore, batch: InferenceBatch): Promise<readonly BatchError[]> {
  const first = firstErrors(batch.status);
  if ((batch.status?.errorCount ?? 0) <= first.length) return first;
  const stored = await store.get(errorsKey(batch), { range: { from: 0, to: MAX_BYTES - 1 } });
  if (stored === undefined) return first;
  const parts: Buffer[] = [];
  for await (const part of stored.content as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString();
  // What follows the last line break may be cut off.
  const lines = text.slice(0, text.lastIndexOf('\n')).split('\n');
  return lines.map((line) => shown(JSON.parse(line) as Partial<BatchError>));
}

function shown({ code = '', message = '', param, line }: Partial<BatchError>): BatchError {
  return { code, message, param: param ?? null, line: line ?? null };
}
