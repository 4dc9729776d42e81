/** How many bytes the files of a namespace have, small ones counted as 8 KiB. */
import type { ObjectStore } from '../../store/object-store.ts';
import { contentPrefix } from './file-object.ts';

/** A count is believed for that long, with what this process has added since; other processes add, too. */
const BELIEVED_MS = 300_000;
/** One that leaves no room is soon made again: files may have been deleted to make some. */
const BELIEVED_FULL_MS = 5_000;

/** What a file costs at least: its object, and what a file system keeps of both. */
const LEAST_BYTES = 8 * 1024;

interface Count {
  bytes: number;
  readonly atMs: number;
}

export class NamespaceUsage {
  readonly #store: ObjectStore;
  readonly #now: () => number;
  readonly #counts = new Map<string, Promise<Count>>();

  /** `now` is in milliseconds of a clock that never jumps. */
  constructor(store: ObjectStore, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  /** Returns whether the namespace has less than so many bytes. Throws StoreUnavailable. */
  async isBelow(namespace: string, most: number): Promise<boolean> {
    const counted = await this.#counts.get(namespace);
    const age = this.#now() - (counted?.atMs ?? -Infinity);
    if (counted !== undefined && age < (counted.bytes < most ? BELIEVED_MS : BELIEVED_FULL_MS)) {
      return counted.bytes < most;
    }
    const counting = this.#count(namespace);
    this.#counts.set(namespace, counting);
    // A count that failed is none.
    counting.catch(() => this.#counts.delete(namespace));
    return (await counting).bytes < most;
  }

  /** Call it when a file was added. */
  add(namespace: string, bytes: number): void {
    this.#counts.get(namespace)?.then(
      (counted) => (counted.bytes += costOf(bytes)),
      () => undefined,
    );
  }

  async #count(namespace: string): Promise<Count> {
    const atMs = this.#now();
    let sum = 0;
    for await (const { bytes } of this.#store.list(contentPrefix(namespace))) sum += costOf(bytes);
    return { bytes: sum, atMs };
  }
}

function costOf(bytes: number): number {
  return Math.max(bytes, LEAST_BYTES);
}
