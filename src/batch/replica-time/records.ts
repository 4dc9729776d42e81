/** Where snapshots lie in the store: one object for each namespace, day and process that wrote. */
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { merged, snapshotsSchema, type Snapshot } from './snapshots.ts';

const ROOT = 'replica-time/';
const DAY_SECONDS = 86_400;
/** How long a day is kept after it has ended. */
const KEPT_SECONDS = 400 * DAY_SECONDS;
/** Snapshots that are further ahead of the clock were taken by one that was wrong. */
const AHEAD_SECONDS = 3_600;

export class ReplicaTimeRecords {
  readonly #store: ObjectStore;
  readonly #logger: Pick<Logger, 'error'>;
  readonly #writer: string;

  /** No two processes may have the same `writer`, of hexadecimal digits: each changes its own objects alone. */
  constructor(store: ObjectStore, logger: Pick<Logger, 'error'>, writer: string = randomBytes(8).toString('hex')) {
    this.#store = store;
    this.#logger = logger;
    this.#writer = writer;
  }

  /** Adds snapshots to the day that `at` (Unix seconds) is in; one at a time. Throws StoreUnavailable or StoreFull. */
  async add(namespace: string, at: number, snapshots: readonly Snapshot[]): Promise<void> {
    const key = `${ROOT}${namespace}/${dayOf(at)}.${this.#writer}`;
    const all = merged([...(await this.#read(key)), ...snapshots]);
    await this.#store.put(key, Buffer.from(JSON.stringify({ snapshots: all })));
  }

  /**
   * Yields, day by day, what tells of the time from `start` to `end` (Unix seconds): the snapshots of these days, of the last
   * day before and of the next one after that have any, except those far after `now`. Throws StoreUnavailable, and
   * TooMuchUsage where the objects of these days have more than `mostBytes`.
   */
  async *read(
    namespace: string,
    { start, end, now, mostBytes }: { start: number; end: number; now: number; mostBytes: number },
  ): AsyncGenerator<Snapshot[]> {
    const days: { day: string; keys: string[]; bytes: number }[] = [];
    for await (const { key, bytes } of this.#store.list(`${ROOT}${namespace}/`)) {
      const day = dayOfKey(key);
      if (day === undefined) continue;
      const last = days.at(-1);
      if (last?.day === day) {
        last.keys.push(key);
        last.bytes += bytes;
        continue;
      }
      if (last !== undefined && last.day > dayOf(end)) break;
      // Only the last one before the time is needed.
      if (day < dayOf(start)) days.length = 0;
      days.push({ day, keys: [key], bytes });
    }
    if (days.reduce((sum, { bytes }) => sum + bytes, 0) > mostBytes) throw new TooMuchUsage();
    for (const { keys } of days) yield await this.#readAll(keys, now);
  }

  /** Returns the snapshots of the last day that has any that are not far after `now` (Unix seconds). Throws StoreUnavailable. */
  async last(namespace: string, now: number): Promise<Snapshot[]> {
    const days = new Map<string, string[]>();
    for await (const { key } of this.#store.list(`${ROOT}${namespace}/`)) {
      const day = dayOfKey(key);
      if (day !== undefined && day <= dayOf(now + AHEAD_SECONDS)) days.set(day, [...(days.get(day) ?? []), key]);
    }
    for (const keys of [...days.values()].toReversed()) {
      const snapshots = await this.#readAll(keys, now);
      if (snapshots.length > 0) return snapshots;
    }
    return [];
  }

  /** Removes the days that ended 400 days before `now` (Unix seconds). Throws StoreUnavailable, and the signal's reason. */
  async tidy(now: number, signal: AbortSignal): Promise<void> {
    for await (const { key } of this.#store.list(ROOT, { signal })) {
      const day = Date.parse(dayOfKey(key) ?? '') / 1_000;
      if (day + DAY_SECONDS + KEPT_SECONDS <= now) await this.#store.delete(key);
    }
  }

  async #readAll(keys: readonly string[], now: number): Promise<Snapshot[]> {
    const snapshots: Snapshot[] = [];
    for (const key of keys) snapshots.push(...(await this.#read(key)));
    return snapshots.filter(({ at }) => at <= now + AHEAD_SECONDS);
  }

  async #read(key: string): Promise<Snapshot[]> {
    const object = await this.#store.get(key);
    if (object === undefined) return [];
    const content = await text(object.content);
    try {
      return snapshotsSchema.parse(JSON.parse(content)).snapshots;
    } catch (error) {
      // One that somebody has changed must not keep all others from being told.
      this.#logger.error({ key, error: describeError(error) }, 'the time of replicas of a day cannot be read');
      return [];
    }
  }
}

/** Returns the UTC day of a time in Unix seconds, as `2026-11-26`. */
function dayOf(at: number): string {
  return new Date(at * 1_000).toISOString().slice(0, 10);
}

function dayOfKey(key: string): string | undefined {
  return /\/(\d{4}-\d\d-\d\d)(\.[0-9a-f]+)?$/.exec(key)?.[1];
}
