/** Keeping the objects of usage few and not too old. */
import { randomBytes } from 'node:crypto';
import type { UsagePart } from '../../channel/usage-report.ts';
import type { ObjectStore, StoredObject } from '../../store/object-store.ts';
import { mergeGroups } from '../merge-groups.ts';
import { latestParts } from './latest-parts.ts';
import { dayOf, endOfDay, mergedKey, USAGE_ROOT } from './usage-keys.ts';
import { encodeParts, type UsageRecords } from './usage-records.ts';

/** How long usage is kept after its day. */
export const KEPT_MS = 400 * 86_400_000;
/** From the end of a day until its objects are merged: nearly all of what comes late has come. */
const MERGE_AFTER_MS = 2 * 3_600_000;

export interface Tidied {
  readonly merged: number;
  readonly removed: number;
}

interface TidyOptions {
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Merges the objects of each day that is over, and removes those of days that ended 400 days ago; returns how many objects
 * went. Throws StoreUnavailable, and the signal's reason after an abort; what was not reached then is left to the next time.
 */
export async function tidyUsage(store: ObjectStore, records: UsageRecords, options: TidyOptions): Promise<Tidied> {
  let [merged, removed] = [0, 0];
  for await (const { prefix, objects } of days(store, options.signal)) {
    const end = endOfDay(prefix);
    if (end === undefined || end + MERGE_AFTER_MS > options.nowMs) continue;
    if (end + KEPT_MS <= options.nowMs) {
      for (const { key } of objects) await store.delete(key);
      removed += objects.length;
    } else if (objects.length > 1) {
      merged += await mergeDay(store, records, { ...options, prefix, objects });
    }
  }
  return { merged, removed };
}

interface Day {
  /** `usage/NAMESPACE/DAY/`. */
  readonly prefix: string;
  readonly objects: StoredObject[];
}

/** Yields the days of all namespaces by one listing. */
async function* days(store: ObjectStore, signal: AbortSignal): AsyncGenerator<Day> {
  let day: Day | undefined;
  for await (const object of store.list(USAGE_ROOT, { signal })) {
    const prefix = object.key.slice(0, object.key.lastIndexOf('/') + 1);
    if (day?.prefix !== prefix) {
      if (day !== undefined) yield day;
      day = { prefix, objects: [] };
    }
    day.objects.push(object);
  }
  if (day !== undefined) yield day;
}

/**
 * An object is removed only when another one, written after it was read, holds all that it does: whatever is cut off, or
 * runs beside this in another process, each part stays in at least one object, and counts once (latestParts).
 */
async function mergeDay(
  store: ObjectStore,
  records: UsageRecords,
  { prefix, objects, nowMs, signal }: TidyOptions & Day,
): Promise<number> {
  const [, namespace = '', day = dayOf(nowMs)] = prefix.split('/');
  let merged = 0;
  for (const group of mergeGroups(objects)) {
    const parts: UsagePart[] = [];
    const keys: string[] = [];
    for (const { key } of group) {
      signal.throwIfAborted();
      const read = await records.partsOf(key);
      // One that nobody can read is left for somebody to look at.
      if (read === undefined || read.length === 0) continue;
      parts.push(...read);
      keys.push(key);
    }
    if (keys.length < 2) continue;
    const id = randomBytes(8).toString('hex');
    await store.put(mergedKey(namespace, { day, nowMs, id }), encodeParts(latestParts(parts)), { signal });
    for (const key of keys) await store.delete(key);
    merged += keys.length;
  }
  return merged;
}
