/** Where snapshots lie in the store: one object for each namespace, day and process that wrote. */
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import { StoreUnavailable, type ObjectStore, type StoredObject } from '../../store/object-store.ts';
import { mergeGroups } from '../merge-groups.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { merged, snapshotsSchema, type Snapshot } from './snapshots.ts';

const ROOT = 'replica-time/';
const DAY_SECONDS = 86_400;
/** How long a day is kept after it has ended. */
const KEPT_SECONDS = 400 * DAY_SECONDS;
/** From the end of a day on its objects are not changed, but others are written; until then a process may change its own. */
const CHANGED_SECONDS = 3_600;
/** From the end of a day until its objects are merged; whoever began to change one has done so. */
const MERGED_AFTER_SECONDS = 2 * CHANGED_SECONDS;
/** To read the objects of a day while another process merges them. */
const MOST_TRIES = 5;
/** Snapshots that are further ahead of the clock were taken by one that was wrong. */
const AHEAD_SECONDS = 3_600;

interface ReadRange {
  /** Unix seconds. */
  readonly start: number;
  readonly end: number;
  readonly now: number;
  /** Of one day. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

interface Day {
  readonly namespace: string;
  readonly day: string;
  readonly objects: StoredObject[];
}

export class ReplicaTimeRecords {
  readonly #store: ObjectStore;
  readonly #logger: Pick<Logger, 'error'>;
  readonly #writer: string;

  /** No two processes may have the same `writer`, of hexadecimal digits: each changes its own objects alone. */
  constructor(store: ObjectStore, logger: Pick<Logger, 'error'>, writer: string = randomId()) {
    this.#store = store;
    this.#logger = logger;
    this.#writer = writer;
  }

  /** Adds snapshots to the day that `at` is in (both in Unix seconds); one at a time. Throws StoreUnavailable or StoreFull. */
  async add(
    namespace: string,
    { at, now }: { at: number; now: number },
    snapshots: readonly Snapshot[],
  ): Promise<void> {
    const day = dayOf(at);
    const isLate = endOf(day) + CHANGED_SECONDS <= now;
    const key = keyOf(namespace, day, isLate ? randomId() : this.#writer);
    await this.#write(key, [...((await this.#read(key)) ?? []), ...snapshots]);
  }

  /**
   * Yields, day by day, what tells of the time from `start` to `end` (Unix seconds): the snapshots of these days, of the last
   * day before and of the next one after that have any, except those far after `now`. Throws StoreUnavailable, and
   * TooMuchUsage where the objects of one day have more than `mostBytes`, and the signal's reason.
   */
  async *read(namespace: string, { start, end, now, mostBytes, signal }: ReadRange): AsyncGenerator<Snapshot[]> {
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
    if (days.some(({ bytes }) => bytes > mostBytes)) throw new TooMuchUsage();
    for (const { day, keys } of days) {
      signal.throwIfAborted();
      yield await this.#readDay(namespace, { day, keys, now });
    }
  }

  /** Returns the snapshots of the last day that has any that are not far after `now` (Unix seconds). Throws StoreUnavailable. */
  async last(namespace: string, now: number): Promise<Snapshot[]> {
    const days = new Map<string, string[]>();
    for await (const { key } of this.#store.list(`${ROOT}${namespace}/`)) {
      const day = dayOfKey(key);
      if (day !== undefined && day <= dayOf(now + AHEAD_SECONDS)) days.set(day, [...(days.get(day) ?? []), key]);
    }
    for (const [day, keys] of [...days].toReversed()) {
      const snapshots = await this.#readDay(namespace, { day, keys, now });
      if (snapshots.length > 0) return snapshots;
    }
    return [];
  }

  /**
   * Removes the days that ended 400 days before `now` (Unix seconds), and merges the objects of each that is over: there is
   * one of each process that ran, which may be many. Throws StoreUnavailable, and the signal's reason.
   */
  async tidy(now: number, signal: AbortSignal): Promise<void> {
    for await (const { namespace, day, objects } of this.#days(signal)) {
      const end = endOf(day);
      try {
        if (end + KEPT_SECONDS <= now) for (const { key } of objects) await this.#store.delete(key);
        else if (end + MERGED_AFTER_SECONDS <= now) await this.#merge(namespace, { day, objects, signal });
      } catch (error) {
        signal.throwIfAborted();
        // Of one namespace, which must not keep those of others.
        this.#logger.error({ namespace, day, error: describeError(error) }, 'the time of replicas was not tidied');
      }
    }
  }

  /** Yields the days of all namespaces by one listing. */
  async *#days(signal: AbortSignal): AsyncGenerator<Day> {
    let last: Day | undefined;
    for await (const object of this.#store.list(ROOT, { signal })) {
      const [, namespace = ''] = object.key.split('/');
      const day = dayOfKey(object.key);
      if (day === undefined) continue;
      if (last?.day !== day || last.namespace !== namespace) {
        if (last !== undefined) yield last;
        last = { namespace, day, objects: [] };
      }
      last.objects.push(object);
    }
    if (last !== undefined) yield last;
  }

  /**
   * An object is removed only when another one, written after it was read, holds all that it does: cut off anywhere, or run
   * by two processes at a time, each snapshot stays in at least one object, and in several it counts once.
   */
  async #merge(
    namespace: string,
    { day, objects, signal }: Pick<Day, 'day' | 'objects'> & { signal: AbortSignal },
  ): Promise<void> {
    for (const group of mergeGroups(objects)) {
      const snapshots: Snapshot[] = [];
      const keys: string[] = [];
      for (const { key } of group) {
        signal.throwIfAborted();
        const read = (await this.#read(key)) ?? [];
        // One that nobody can read is left for somebody to look at.
        if (read.length === 0) continue;
        snapshots.push(...read);
        keys.push(key);
      }
      if (keys.length < 2) continue;
      await this.#write(keyOf(namespace, day, randomId()), snapshots);
      for (const key of keys) await this.#store.delete(key);
    }
  }

  /** Returns the snapshots of a day but those far after `now`; where one of its objects has gone it is listed again. */
  async #readDay(
    namespace: string,
    { day, keys: listed, now }: { day: string; keys: readonly string[]; now: number },
  ): Promise<Snapshot[]> {
    let keys = listed;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (tries > 0) keys = await this.#keysOf(namespace, day);
      const snapshots = await this.#readAll(keys);
      if (snapshots !== undefined) return snapshots.filter(({ at }) => at <= now + AHEAD_SECONDS);
    }
    throw new StoreUnavailable('The time of replicas changes faster than it is read.');
  }

  async #keysOf(namespace: string, day: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.#store.list(`${ROOT}${namespace}/`)) if (dayOfKey(key) === day) keys.push(key);
    return keys;
  }

  /** Returns undefined where one of the objects is not there. */
  async #readAll(keys: readonly string[]): Promise<Snapshot[] | undefined> {
    const snapshots: Snapshot[] = [];
    for (const key of keys) {
      const read = await this.#read(key);
      if (read === undefined) return undefined;
      snapshots.push(...read);
    }
    return snapshots;
  }

  async #write(key: string, snapshots: readonly Snapshot[]): Promise<void> {
    await this.#store.put(key, Buffer.from(JSON.stringify({ snapshots: merged(snapshots) })));
  }

  /** Returns undefined where there is no such object, and nothing of one that cannot be read, which is logged. */
  async #read(key: string): Promise<Snapshot[] | undefined> {
    const object = await this.#store.get(key);
    if (object === undefined) return undefined;
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

function randomId(): string {
  return randomBytes(8).toString('hex');
}

function keyOf(namespace: string, day: string, id: string): string {
  return `${ROOT}${namespace}/${day}.${id}`;
}

/** Returns the Unix seconds at which a day ended. */
function endOf(day: string): number {
  return Date.parse(day) / 1_000 + DAY_SECONDS;
}

/** Returns the UTC day of a time in Unix seconds, as `2026-11-26`. */
function dayOf(at: number): string {
  return new Date(at * 1_000).toISOString().slice(0, 10);
}

function dayOfKey(key: string): string | undefined {
  return /\/(\d{4}-\d\d-\d\d)(\.[0-9a-f]+)?$/.exec(key)?.[1];
}
