/** Pages of batches. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';

export interface BatchPage {
  readonly batches: InferenceBatch[];
  readonly hasMore: boolean;
}

/**
 * Returns up to `limit` batches, newest first, of those that follow the one named `after`; undefined where there is none of
 * that name.
 */
export function pageOf(
  batches: readonly InferenceBatch[],
  { after, limit }: { after: string | undefined; limit: number },
): BatchPage | undefined {
  const sorted = batches.toSorted(newestFirst);
  const before = after === undefined ? -1 : sorted.findIndex(({ metadata }) => metadata.name === after);
  if (after !== undefined && before < 0) return undefined;
  const page = sorted.slice(before + 1, before + 1 + limit);
  return { batches: page, hasMore: sorted.length > before + 1 + page.length };
}

/** Kubernetes knows the second only; names that the API made have the milliseconds. */
function newestFirst({ metadata: a }: InferenceBatch, { metadata: b }: InferenceBatch): number {
  return compare(b.creationTimestamp ?? '', a.creationTimestamp ?? '') || compare(b.name, a.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
