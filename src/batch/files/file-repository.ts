/** Files in the store: the object of each beside its content. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import type { ByteRange, ObjectStore } from '../../store/object-store.ts';
import {
  contentKey,
  fileCreatedMs,
  firstFileIdAt,
  isExpired,
  isFileId,
  metaKey,
  metaPrefix,
  type FileObject,
} from './file-object.ts';
import { KnownFiles } from './known-files.ts';

const KNOWN_FILES = 10_000;
/** Objects read at the same time for a page. */
const READ_TOGETHER = 16;
/** Where a page of the newest files is looked for first. */
const RECENT_MS = 24 * 3_600_000;
/** A file object is far smaller; more is not one. */
const MAX_OBJECT_BYTES = 16 * 1024;

const STORED_FILE = z.object({
  id: z.string(),
  object: z.literal('file'),
  bytes: z.int().nonnegative(),
  created_at: z.int(),
  expires_at: z.int(),
  filename: z.string(),
  purpose: z.enum(['batch', 'batch_output']),
  status: z.literal('processed'),
});

export interface FileQuery {
  readonly order: 'asc' | 'desc';
  readonly limit: number;
  /** The id after which the page begins. */
  readonly after: string | undefined;
  /** None has another than FilePurpose. */
  readonly purpose: string | undefined;
}

export interface FilePage {
  readonly files: FileObject[];
  readonly hasMore: boolean;
}

/** What is stored as the object of a file is none. */
class CorruptFile extends Error {
  override readonly name = 'CorruptFile';
}

/** All methods throw StoreUnavailable as the store does. A file that has expired does not exist. */
export class FileRepository {
  readonly #store: ObjectStore;
  readonly #logger: Pick<Logger, 'error'>;
  readonly #now: () => number;
  readonly #known = new KnownFiles(KNOWN_FILES);

  /** `now` is in Unix milliseconds. */
  constructor(store: ObjectStore, logger: Pick<Logger, 'error'>, now: () => number = Date.now) {
    this.#store = store;
    this.#logger = logger;
    this.#now = now;
  }

  /** Returns a file of the namespace; undefined where there is none of this id, whatever `id` is. */
  async find(namespace: string, id: string): Promise<FileObject | undefined> {
    if (!isFileId(id)) return undefined;
    const file = await this.read(namespace, id);
    return file === undefined || isExpired(file, this.#now()) ? undefined : file;
  }

  /** Returns a file, even one that has expired. Throws an Error where what is stored is no file object. */
  async read(namespace: string, id: string): Promise<FileObject | undefined> {
    const key = metaKey(namespace, id);
    const stored = await this.#store.get(key);
    if (stored === undefined) {
      this.#known.delete(key);
      return undefined;
    }
    const file = parseFile(key, await wholeOf(key, stored.content));
    this.#known.set(key, file);
    return file;
  }

  /**
   * As read(), for an id that the store has just listed: from memory where it was read before. What is no file object is
   * logged and skipped: it must not keep the others from being listed and swept.
   */
  async listed(namespace: string, id: string): Promise<FileObject | undefined> {
    try {
      return this.#known.get(metaKey(namespace, id)) ?? (await this.read(namespace, id));
    } catch (error) {
      if (!(error instanceof CorruptFile)) throw error;
      this.#logger.error({ error: describeError(error) }, 'a file is left out');
      return undefined;
    }
  }

  /** Returns a page of the namespace's files, by the time of their creation. */
  async list(namespace: string, query: FileQuery): Promise<FilePage> {
    const files: FileObject[] = [];
    for await (const file of this.#inOrder(namespace, query)) {
      if (query.purpose !== undefined && file.purpose !== query.purpose) continue;
      if (files.length === query.limit) return { files, hasMore: true };
      files.push(file);
    }
    return { files, hasMore: false };
  }

  /** Returns the content of a file, or a part of it; undefined where it was deleted meanwhile. */
  async content(namespace: string, id: string, range?: ByteRange): Promise<Readable | undefined> {
    return (await this.#store.get(contentKey(namespace, id), range && { range }))?.content;
  }

  /** Makes a file exist whose content is stored already. */
  async add(namespace: string, file: FileObject): Promise<void> {
    await this.#store.put(metaKey(namespace, file.id), Buffer.from(JSON.stringify(file)));
  }

  /** Ends a file: first its being, then its content. */
  async remove(namespace: string, id: string): Promise<void> {
    const key = metaKey(namespace, id);
    await this.#store.delete(key);
    this.#known.delete(key);
    await this.#store.delete(contentKey(namespace, id));
  }

  async *#inOrder(namespace: string, query: FileQuery): AsyncGenerator<FileObject> {
    let ids: string[] = [];
    for await (const id of this.#ids(namespace, query)) {
      ids.push(id);
      if (ids.length < READ_TOGETHER) continue;
      yield* await this.#readAll(namespace, ids);
      ids = [];
    }
    yield* await this.#readAll(namespace, ids);
  }

  async *#ids(namespace: string, { order, after }: FileQuery): AsyncGenerator<string> {
    const prefix = metaPrefix(namespace);
    if (order === 'asc') {
      yield* this.#stored(prefix, after);
      return;
    }
    // Stores list forwards only. Ids tell the time, so that the newest are listed first, and the many before if need be.
    const newestMs = after === undefined ? this.#now() : fileCreatedMs(after);
    const recent = firstFileIdAt(Math.max(newestMs - RECENT_MS, 0));
    yield* await this.#backwards(prefix, recent, after);
    yield* await this.#backwards(prefix, undefined, recent);
  }

  /** The ids after the one and before the other, the last first. */
  async #backwards(prefix: string, after: string | undefined, before: string | undefined): Promise<string[]> {
    const ids: string[] = [];
    for await (const id of this.#stored(prefix, after)) {
      if (before !== undefined && id >= before) break;
      ids.push(id);
    }
    return ids.toReversed();
  }

  async *#stored(prefix: string, after: string | undefined): AsyncGenerator<string> {
    for await (const { key } of this.#store.list(prefix, after === undefined ? {} : { after: prefix + after })) {
      const id = key.slice(prefix.length);
      if (isFileId(id)) yield id;
    }
  }

  async #readAll(namespace: string, ids: readonly string[]): Promise<FileObject[]> {
    const files = await Promise.all(ids.map(async (id) => await this.listed(namespace, id)));
    return files.filter((file) => file !== undefined).filter((file) => !isExpired(file, this.#now()));
  }
}

async function wholeOf(key: string, content: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of content as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_OBJECT_BYTES) throw new CorruptFile(`${key} in the store is too large for a file object`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parseFile(key: string, text: string): FileObject {
  try {
    return STORED_FILE.parse(JSON.parse(text));
  } catch (error) {
    throw new CorruptFile(`${key} in the store is no file object`, { cause: error });
  }
}
