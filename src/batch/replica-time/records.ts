/** Where snapshots lie in the store: one object for each namespace and day. */
import { text } from 'node:stream/consumers';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { merged, snapshotsSchema, type Snapshot } from './snapshots.ts';

const ROOT = 'replica-time/';
const DAY_SECONDS = 86_400;
/** How long a day is kept after it has ended. */
const KEPT_SECONDS = 400 * DAY_SECONDS;

export class ReplicaTimeRecords {
  readonly #store: ObjectStore;
  readonly #logger: Pick<Logger, 'error'>;

  constructor(store: ObjectStore, logger: Pick<Logger, 'error'>) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Adds snapshots of the day that `at` (Unix seconds) is in. Throws StoreUnavailable or StoreFull. */
  async add(namespace: string, at: number, snapshots: readonly Snapshot[]): Promise<void> {
    const key = keyOf(namespace, at);
    const all = merged([...(await this.#read(key)), ...snapshots]);
    await this.#store.put(key, Buffer.from(JSON.stringify({ snapshots: all })));
  }

  /**
   * Returns what tells of the time from `start` to `end` (Unix seconds): the snapshots of these days, of the last day before
   * and of the next one after that have any. Throws StoreUnavailable.
   */
  async read(namespace: string, start: number, end: number): Promise<Snapshot[]> {
    const days: string[] = [];
    let before: string | undefined;
    for await (const { key } of this.#store.list(`${ROOT}${namespace}/`)) {
      if (key < keyOf(namespace, start)) before = key;
      else days.push(key);
      if (key > keyOf(namespace, end)) break;
    }
    const read = [...(before === undefined ? [] : [before]), ...days].map(async (key) => await this.#read(key));
    return (await Promise.all(read)).flat();
  }

  /** Returns the snapshots of the last day that has any before `end` (Unix seconds). Throws StoreUnavailable. */
  async last(namespace: string, end: number): Promise<Snapshot[]> {
    return await this.read(namespace, end, end);
  }

  /** Removes the days that ended 400 days before `now` (Unix seconds). Throws StoreUnavailable, and the signal's reason. */
  async tidy(now: number, signal: AbortSignal): Promise<void> {
    for await (const { key } of this.#store.list(ROOT, { signal })) {
      const day = Date.parse(/\/(\d{4}-\d\d-\d\d)$/.exec(key)?.[1] ?? '') / 1_000;
      if (day + DAY_SECONDS + KEPT_SECONDS <= now) await this.#store.delete(key);
    }
  }

  async #read(key: string): Promise<Snapshot[]> {
    const object = await this.#store.get(key);
    if (object === undefined) return [];
    try {
      return snapshotsSchema.parse(JSON.parse(await text(object.content))).snapshots;
    } catch (error) {
      if (!(error instanceof SyntaxError) && (error as Error).name !== 'ZodError') throw error;
      // One that somebody has changed must not keep all others from being told.
      this.#logger.error({ key, error: describeError(error) }, 'the time of replicas of a day cannot be read');
      return [];
    }
  }
}

function keyOf(namespace: string, at: number): string {
  return `${ROOT}${namespace}/${new Date(at * 1_000).toISOString().slice(0, 10)}`;
}
