/** Where the content of files lies: a folder or S3, which behave alike. */
import type { Readable } from 'node:stream';

/** An object as a listing shows it. */
export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  /** When it was written, in Unix milliseconds of the store's clock. */
  readonly writtenAtMs: number;
}

/** Bytes `from` up to and including `to`; up to the end where `to` is absent or beyond it. None where `from` is beyond it. */
export interface ByteRange {
  readonly from: number;
  readonly to?: number;
}

/** What every method may throw beside what is said there, and what it means to a client: 503, try again. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** No room is left: the disk is full or a quota is reached. Nothing that was there before is lost. */
export class StoreFull extends Error {
  override readonly name = 'StoreFull';
}

/** A source had more bytes than were allowed; nothing of it was kept. */
export class ObjectTooLarge extends Error {
  override readonly name = 'ObjectTooLarge';
}

/**
 * Objects by key. Keys are parts of `[A-Za-z0-9._-]` joined by `/`, each of at most 255 characters and not beginning with
 * `.`, at most 512 characters together, and no key is another with more parts behind it (`a` and `a/b`); others are a defect
 * and throw TypeError. An object is there whole or not at all, and once a write has resolved it outlives a crash of the
 * process and of its machine.
 */
export interface ObjectStore {
  /**
   * Writes an object, in place of one that is there, without ever holding more than some MiB of it; returns its size.
   * What `source` throws is thrown on, and the signal's reason. After any error the object is as it was before; after
   * StoreUnavailable or an abort it may also be the new one, whole. Throws ObjectTooLarge for more than `maxBytes`.
   */
  put(
    key: string,
    source: AsyncIterable<Uint8Array> | Uint8Array,
    options?: { maxBytes?: number; signal?: AbortSignal },
  ): Promise<number>;
  /**
   * Returns the object, or a part of it, as a stream, and its whole size; undefined where there is none. The stream is to
   * be read to its end or destroyed; it is of one object even when that is replaced or removed meanwhile, or fails with
   * StoreUnavailable.
   */
  get(
    key: string,
    options?: { range?: ByteRange; signal?: AbortSignal },
  ): Promise<{ bytes: number; content: Readable } | undefined>;
  /** Returns what a listing says of one object; undefined where there is none. */
  head(key: string): Promise<StoredObject | undefined>;
  /** Yields the objects whose key begins with `prefix` (which ends in `/`) in the order of their keys, after `after`. */
  list(prefix: string, options?: { after?: string; signal?: AbortSignal }): AsyncGenerator<StoredObject>;
  /** Removes an object; does nothing where there is none. */
  delete(key: string): Promise<void>;
}
