/** Removing what is no file any more: those that expired, and content whose upload never came to its end. */
import type { ObjectStore } from '../../store/object-store.ts';
import {
  contentPrefix,
  fileCreatedMs,
  isExpired,
  isFileId,
  LIFETIME_SECONDS,
  metaKey,
  metaPrefix,
} from './file-object.ts';
import type { FileRepository } from './file-repository.ts';

const ROOT = 'files/';
/** Longer than any upload takes. Content that may become older before it is a file's is to be written anew. */
export const UNFINISHED_MS = 24 * 3_600_000;
/** Sorts behind all that a namespace, or a batch, holds. */
const LAST_SIGN = 'z';

export interface Swept {
  readonly expired: number;
  readonly unfinished: number;
}

/**
 * Removes expired files and content that is older than a day and of no file, one after the other; returns how many of each.
 * Throws StoreUnavailable, and the signal's reason after an abort; what was not reached then is left to the next sweep.
 */
export async function sweep(
  store: ObjectStore,
  files: FileRepository,
  options: { nowMs: number; signal: AbortSignal },
): Promise<Swept> {
  let [expired, unfinished] = [0, 0];
  for await (const prefix of prefixes(store, ROOT, 2, options.signal)) {
    const namespace = prefix.slice(ROOT.length, -1);
    expired += await removeExpired(store, files, namespace, options);
    unfinished += await removeUnfinished(store, namespace, options);
  }
  return { expired, unfinished };
}

/**
 * Yields each beginning of `parts` parts that keys below `root` have, with a slash at its end, by one step over all objects
 * of the one before.
 */
export async function* prefixes(
  store: ObjectStore,
  root: string,
  parts: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let after: string | undefined;
  for (;;) {
    const next = await firstKey(store, root, { ...(after !== undefined && { after }), signal });
    if (next === undefined) return;
    const prefix = `${next.split('/').slice(0, parts).join('/')}/`;
    yield prefix;
    after = `${prefix}${LAST_SIGN}`;
  }
}

async function firstKey(
  store: ObjectStore,
  root: string,
  options: { after?: string; signal: AbortSignal },
): Promise<string | undefined> {
  for await (const { key } of store.list(root, options)) return key;
  return undefined;
}

async function removeExpired(
  store: ObjectStore,
  files: FileRepository,
  namespace: string,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<number> {
  const prefix = metaPrefix(namespace);
  let removed = 0;
  for await (const { key } of store.list(prefix, { signal })) {
    const id = key.slice(prefix.length);
    if (!isFileId(id)) continue;
    // In the order of time: none that follows is old enough either.
    if (fileCreatedMs(id) + LIFETIME_SECONDS.least * 1000 > nowMs) break;
    const file = await files.listed(namespace, id);
    // One that cannot be read has no time of its own, and none lasts longer.
    const over = file ? isExpired(file, nowMs) : fileCreatedMs(id) + LIFETIME_SECONDS.most * 1000 <= nowMs;
    if (!over) continue;
    await files.remove(namespace, id);
    removed += 1;
  }
  return removed;
}

async function removeUnfinished(
  store: ObjectStore,
  namespace: string,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<number> {
  const prefix = contentPrefix(namespace);
  let removed = 0;
  for await (const { key, writtenAtMs } of store.list(prefix, { signal })) {
    if (writtenAtMs + UNFINISHED_MS > nowMs) continue;
    if ((await store.head(metaKey(namespace, key.slice(prefix.length)))) !== undefined) continue;
    // Written anew since it was listed, it is about to be a file's.
    const latest = await store.head(key);
    if (latest === undefined || latest.writtenAtMs + UNFINISHED_MS > nowMs) continue;
    await store.delete(key);
    removed += 1;
  }
  return removed;
}
