/** Pure: where the objects of a batch lie in the store. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';

/** Returns the prefix of all objects of a batch. */
export function batchPrefix({ metadata }: InferenceBatch): string {
  return `batches/${metadata.namespace}/${metadata.uid}/`;
}

/** Returns the key of everything that validation found wrong. */
export function errorsKey(batch: InferenceBatch): string {
  return `${batchPrefix(batch)}errors`;
}

/** Returns the key of the index of the input's lines. */
export function linesKey(batch: InferenceBatch): string {
  return `${batchPrefix(batch)}lines`;
}

/** Returns the key of what the files are made of, `fileId` being that of one of them. */
export function manifestKey(batch: InferenceBatch, fileId: string): string {
  return `${batchPrefix(batch)}manifest/${fileId}`;
}
