/** Removing what batches left in the store: writes that came after the end, and of resources that went without a process. */
import type { ObjectStore } from '../../store/object-store.ts';
import { prefixes } from '../files/sweep.ts';
import type { BatchCache } from './access.ts';
import { removeKeys } from './finalise.ts';
import { batchPrefix, errorsKey } from './keys.ts';
import { isFinal, stateOf } from './state.ts';

const ROOT = 'batches/';
/** What a cache that is behind does not know yet is younger. */
const LEFT_MS = 24 * 3_600_000;

/**
 * Removes what is older than a day of batches that have ended, but for the errors of their input, and of those that do not
 * exist; returns how many objects. Only `namespace` is looked at where the cache has no other. Throws StoreUnavailable, and
 * the signal's reason after an abort.
 */
export async function sweepLeftovers(
  store: ObjectStore,
  batches: Pick<BatchCache, 'list'>,
  options: { namespace: string | undefined; nowMs: number; signal: AbortSignal },
): Promise<number> {
  const { namespace, nowMs, signal } = options;
  const known = new Map(batches.list().map((batch) => [batchPrefix(batch), batch]));
  const root = namespace === undefined ? ROOT : `${ROOT}${namespace}/`;
  let removed = 0;
  for await (const prefix of prefixes(store, root, 3, signal)) {
    const batch = known.get(prefix);
    if (batch !== undefined && !isFinal(stateOf(batch))) continue;
    const keys: string[] = [];
    for await (const { key, writtenAtMs } of store.list(prefix, { signal })) {
      const kept = batch !== undefined && key === errorsKey(batch);
      if (!kept && writtenAtMs + LEFT_MS <= nowMs) keys.push(key);
    }
    await removeKeys(store, keys, signal);
    removed += keys.length;
  }
  return removed;
}
