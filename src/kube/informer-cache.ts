/** The objects an informer holds: what is newer wins, whatever order it comes in. */
import { compareResourceVersions, objectKey } from './types.ts';
import type { KubeObject } from './types.ts';

export interface Change<T extends KubeObject> {
  type: 'added' | 'updated' | 'deleted';
  /** For `deleted` the last state known. */
  object: T;
  /** The state before, for `updated`. */
  previous?: T;
}

/** All objects as of one resourceVersion, by key. */
export interface FullList<T extends KubeObject> {
  items: Map<string, T>;
  /** Keys of objects that exist and could not be read: what is known of them stays. */
  unreadable: Set<string>;
  resourceVersion: string;
}

/** How many deletions are remembered at least, so that a late event does not bring an object back. */
const MAX_TOMBSTONES = 1000;

/** True unless `a` is known to be the same as `b` or older. */
function isNewer(a: string | undefined, b: string | undefined): boolean {
  const order = compareResourceVersions(a, b);
  return order === undefined ? a !== b : order > 0;
}

interface Index<T> {
  keysOf: (object: T) => string[];
  entries: Map<string, Map<string, T>>;
  /** Under which index keys an object is, since computing them again from the object might throw. */
  keysOfEntry: Map<string, string[]>;
}

function isIn(list: FullList<KubeObject>, key: string): boolean {
  return list.items.has(key) || list.unreadable.has(key);
}

export class InformerCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: Map<string, Index<T>>;
  readonly #onChange: (change: Change<T>) => void;
  readonly #onIndexError: (key: string, error: unknown) => void;
  /** At which resourceVersion an object was deleted. */
  readonly #tombstones = new Map<string, string>();
  /** While a list is compared, each deletion since its beginning matters, however many. */
  #comparisons = 0;
  #newestVersion: string | undefined;

  /** An object for which an index function throws is in the cache and not in that index. */
  constructor(
    indexes: Record<string, (object: T) => string[]>,
    onChange: (change: Change<T>) => void,
    onIndexError: (key: string, error: unknown) => void,
  ) {
    this.#indexes = new Map(
      Object.entries(indexes).map(([name, keysOf]) => [name, { keysOf, entries: new Map(), keysOfEntry: new Map() }]),
    );
    this.#onChange = onChange;
    this.#onIndexError = onIndexError;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** The highest resourceVersion of any object or list so far. */
  get newestVersion(): string | undefined {
    return this.#newestVersion;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  byIndex(name: string, key: string): T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`the informer has no index ${name}`);
    return [...(index.entries.get(key)?.values() ?? [])];
  }

  /** Takes a state of an object, unless a newer one or a later deletion is known. */
  put(object: T): void {
    const key = objectKey(object.metadata);
    const version = object.metadata.resourceVersion;
    const tombstone = this.#tombstones.get(key);
    const known = this.#objects.get(key);
    this.#saw(version);
    if (tombstone !== undefined && !isNewer(version, tombstone)) return;
    if (known !== undefined && !isNewer(version, known.metadata.resourceVersion)) return;
    this.#set(key, object);
  }

  /** Takes a deletion (`object` as of the deletion), unless what is known is newer. */
  remove({ metadata }: KubeObject): void {
    const key = objectKey(metadata);
    const version = metadata.resourceVersion;
    const known = this.#objects.get(key);
    this.#saw(version);
    if (version !== undefined && isNewer(version, this.#tombstones.get(key))) this.#bury(key, version);
    if (known === undefined) return;
    const order = compareResourceVersions(version, known.metadata.resourceVersion);
    // What is no newer is repeated or late: the object came back (into the selection) since, or is another of the name.
    if (order === undefined || order > 0) this.#delete(key, known);
  }

  /** Deletes all: the kind itself is gone. */
  clear(): void {
    for (const [key, known] of this.#objects) this.#delete(key, known);
  }

  /**
   * Call it before the reading of a list begins that will be given to `differences`, and what it returns afterwards:
   * in between no deletion is forgotten.
   */
  beginComparison(): () => void {
    this.#comparisons += 1;
    return () => {
      this.#comparisons -= 1;
      this.#forgetTombstones();
    };
  }

  /** Returns how many objects of the list the cache has older or not at all, or still has though they are gone. */
  differences(list: FullList<T>): number {
    return this.#newerThanCache(list).length + this.#goneFrom(list).length;
  }

  /** Takes from a full list all that is newer than the cache, and deletes what was gone by then. */
  merge(list: FullList<T>): void {
    for (const key of this.#goneFrom(list)) {
      const known = this.#objects.get(key);
      if (known === undefined) continue;
      this.#bury(key, list.resourceVersion);
      this.#delete(key, known);
    }
    for (const object of this.#newerThanCache(list)) this.#set(objectKey(object.metadata), object);
    this.#saw(list.resourceVersion);
  }

  /** Takes a full list as the whole truth although it is older: the server was restored from a backup. */
  replace(list: FullList<T>): void {
    this.#tombstones.clear();
    for (const [key, known] of this.#objects) if (!isIn(list, key)) this.#delete(key, known);
    for (const [key, object] of list.items) {
      const known = this.#objects.get(key);
      if (known?.metadata.resourceVersion !== object.metadata.resourceVersion) this.#set(key, object);
    }
    this.#newestVersion = list.resourceVersion;
  }

  #newerThanCache(list: FullList<T>): T[] {
    return [...list.items].flatMap(([key, object]) => {
      const version = object.metadata.resourceVersion;
      const tombstone = this.#tombstones.get(key);
      if (tombstone !== undefined && !isNewer(version, tombstone)) return [];
      const known = this.#objects.get(key);
      return known === undefined || isNewer(version, known.metadata.resourceVersion) ? [object] : [];
    });
  }

  #goneFrom(list: FullList<T>): string[] {
    return [...this.#objects]
      .filter(([key, known]) => {
        if (isIn(list, key)) return false;
        // One that is newer than the list was made after it.
        const order = compareResourceVersions(known.metadata.resourceVersion, list.resourceVersion);
        return order === undefined || order <= 0;
      })
      .map(([key]) => key);
  }

  #saw(version: string | undefined): void {
    if (version !== undefined && isNewer(version, this.#newestVersion)) this.#newestVersion = version;
  }

  #bury(key: string, version: string): void {
    // Deleted first, so that the map stays in the order of burial.
    this.#tombstones.delete(key);
    this.#tombstones.set(key, version);
    this.#forgetTombstones();
  }

  #forgetTombstones(): void {
    if (this.#comparisons > 0) return;
    for (const oldest of this.#tombstones.keys()) {
      if (this.#tombstones.size <= MAX_TOMBSTONES) return;
      this.#tombstones.delete(oldest);
    }
  }

  #set(key: string, object: T): void {
    const previous = this.#objects.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      // Another object of the same name: the one that was known is gone.
      this.#delete(key, previous);
      this.#set(key, object);
      return;
    }
    this.#unindex(key);
    this.#objects.set(key, object);
    this.#index(key, object);
    this.#onChange(previous === undefined ? { type: 'added', object } : { type: 'updated', object, previous });
  }

  #delete(key: string, known: T): void {
    this.#unindex(key);
    this.#objects.delete(key);
    this.#onChange({ type: 'deleted', object: known });
  }

  #index(key: string, object: T): void {
    for (const { keysOf, entries, keysOfEntry } of this.#indexes.values()) {
      try {
        keysOfEntry.set(key, keysOf(object));
      } catch (error) {
        this.#onIndexError(key, error);
      }
      for (const indexKey of keysOfEntry.get(key) ?? []) {
        const bucket = entries.get(indexKey) ?? new Map<string, T>();
        bucket.set(key, object);
        entries.set(indexKey, bucket);
      }
    }
  }

  #unindex(key: string): void {
    for (const { entries, keysOfEntry } of this.#indexes.values()) {
      for (const indexKey of keysOfEntry.get(key) ?? []) {
        const bucket = entries.get(indexKey);
        bucket?.delete(key);
        if (bucket?.size === 0) entries.delete(indexKey);
      }
      keysOfEntry.delete(key);
    }
  }
}
