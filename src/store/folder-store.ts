import { randomUUID } from 'node:crypto';
import { constants, type Dirent, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { blocks, type Source } from './blocks.ts';
import { codeOf, folderError } from './folder-errors.ts';
import { fileContent } from './folder-content.ts';
import { checkKey, checkPrefix, isKey } from './keys.ts';
import { StoreUnavailable, type ByteRange, type ObjectStore, type StoredObject } from './object-store.ts';

const WRITE_BYTES = 256 * 1024;
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

/** How often a put makes its folder again after a delete beside it has removed it, still empty. */
const MAX_FOLDER_RACES = 100;

/**
 * Returns the store in a folder, which must be there and belong to this process alone: what writes of an earlier process
 * left unfinished is removed. Objects lie below `objects`, each under its key. Throws StoreUnavailable and StoreFull.
 */
export async function openFolderStore(folder: string): Promise<ObjectStore> {
  try {
    const root = await realpath(folder);
    const unfinished = join(root, 'unfinished');
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: FOLDER_MODE });
    await mkdir(join(root, 'objects'), { recursive: true, mode: FOLDER_MODE });
    await syncFolder(root);
    return new FolderStore(root, unfinished);
  } catch (error) {
    throw folderError(error, folder);
  }
}

class FolderStore implements ObjectStore {
  readonly #root: string;
  readonly #objects: string;
  readonly #unfinished: string;

  constructor(root: string, unfinished: string) {
    this.#root = root;
    this.#objects = join(root, 'objects');
    this.#unfinished = unfinished;
  }

  async put(key: string, source: Source, options: { maxBytes?: number; signal?: AbortSignal } = {}): Promise<number> {
    const path = this.#path(key);
    const unfinished = join(this.#unfinished, randomUUID());
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const handle = await this.#reached(open(unfinished, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE));
    try {
      const bytes = await this.#write(handle, source, options);
      await this.#reached(handle.sync());
      options.signal?.throwIfAborted();
      await this.#reached(this.#name(unfinished, path, key));
      return bytes;
    } finally {
      await handle.close().catch(() => undefined);
      // It has no such name any more unless something failed; then that is what the caller must hear of.
      await rm(unfinished, { force: true }).catch(() => undefined);
    }
  }

  async #write(
    handle: FileHandle,
    source: Source,
    options: { maxBytes?: number; signal?: AbortSignal },
  ): Promise<number> {
    const buffer = Buffer.allocUnsafe(WRITE_BYTES);
    let bytes = 0;
    for await (const block of blocks(source, { ...options, buffer: () => buffer })) {
      for (let done = 0; done < block.length;) {
        done += (await this.#reached(handle.write(block, done))).bytesWritten;
      }
      bytes += block.length;
    }
    return bytes;
  }

  /** Gives a finished file its place. */
  async #name(unfinished: string, path: string, key: string): Promise<void> {
    for (let races = 0; ; races++) {
      try {
        if ((await this.#foldersOf(key)) === 'a file') throw new TypeError(`a part of the key ${key} is an object`);
        await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
        await rename(unfinished, path);
        break;
      } catch (error) {
        if (codeOf(error) === 'EISDIR') throw new TypeError(`the key ${key} is a part of others`, { cause: error });
        if (codeOf(error) !== 'ENOENT' || races >= MAX_FOLDER_RACES) throw error;
      }
    }
    await this.#syncUpFrom(dirname(path));
  }

  async get(
    key: string,
    options: { range?: ByteRange; signal?: AbortSignal } = {},
  ): Promise<{ bytes: number; content: Readable } | undefined> {
    const path = this.#path(key);
    const { from = 0, to = Infinity } = options.range ?? {};
    options.signal?.throwIfAborted();
    const handle = await this.#reached(this.#open(path, key));
    if (handle === undefined) return undefined;
    try {
      const status = await this.#reached(handle.stat());
      if (status.isFile()) {
        const end = Math.min(to + 1, status.size);
        const failed = (error: unknown): Error => folderError(error, this.#root);
        const content = fileContent(handle, { from, end, failed, signal: options.signal });
        return { bytes: status.size, content };
      }
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
    await handle.close().catch(() => undefined);
    return undefined;
  }

  async #open(path: string, key: string): Promise<FileHandle | undefined> {
    if ((await this.#foldersOf(key)) !== 'folders') return undefined;
    try {
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (codeOf(error) === 'ELOOP') throw symbolicLink(path);
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    this.#path(key);
    return await this.#reached(this.#head(key));
  }

  async #head(key: string): Promise<StoredObject | undefined> {
    if ((await this.#foldersOf(key)) !== 'folders') return undefined;
    const path = this.#path(key);
    const status = await statusOf(path);
    if (status?.isSymbolicLink() === true) throw symbolicLink(path);
    if (status?.isFile() !== true) return undefined;
    return { key, bytes: status.size, writtenAtMs: Math.floor(status.mtimeMs) };
  }

  async *list(prefix: string, options: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<StoredObject> {
    checkPrefix(prefix);
    const { after = '', signal } = options;
    if ((await this.#reached(this.#foldersOf(prefix))) === 'folders') yield* this.#walk(prefix, after, signal);
  }

  /** One folder at a time is held, as names. */
  async *#walk(prefix: string, after: string, signal: AbortSignal | undefined): AsyncGenerator<StoredObject> {
    const entries = await this.#reached(entriesOf(join(this.#objects, prefix)));
    const keys = entries
      .filter((entry) => (entry.isDirectory() || entry.isFile()) && isKey(`${prefix}${entry.name}`))
      .map((entry) => `${prefix}${entry.name}${entry.isDirectory() ? '/' : ''}`);
    // With the slash, since `a-b` comes before `a/b`.
    for (const key of keys.sort((one, other) => (one < other ? -1 : 1))) {
      signal?.throwIfAborted();
      if (key.endsWith('/')) {
        if (key > after || after.startsWith(key)) yield* this.#walk(key, after, signal);
      } else if (key > after) {
        const found = await this.#reached(this.#head(key));
        if (found !== undefined) yield found;
      }
    }
  }

  async delete(key: string): Promise<void> {
    await this.#reached(this.#delete(this.#path(key), key));
  }

  async #delete(path: string, key: string): Promise<void> {
    if ((await this.#foldersOf(key)) !== 'folders') return;
    const status = await statusOf(path);
    if (status === undefined || status.isDirectory()) return;
    try {
      await unlink(path);
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    for (let folder = dirname(path); folder !== this.#objects; folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch {
        break;
      }
    }
    await this.#syncUpFrom(dirname(path));
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.#objects, key);
  }

  /**
   * What the folders of a key are: there, missing in part, or one of them is an object. Throws where one is a symbolic link,
   * which nobody but an intruder makes: it could lead out of the root.
   */
  async #foldersOf(key: string): Promise<'folders' | 'missing' | 'a file'> {
    let path = this.#root;
    for (const part of ['objects', ...key.split('/').slice(0, -1)]) {
      path = join(path, part);
      const status = await statusOf(path);
      if (status === undefined) return 'missing';
      if (status.isSymbolicLink()) throw symbolicLink(path);
      if (!status.isDirectory()) return 'a file';
    }
    return 'folders';
  }

  /**
   * Makes names survive a power failure: those in the folder, and its own in the one above, and so on; another write may
   * have made these folders and not be so far yet.
   */
  async #syncUpFrom(folder: string): Promise<void> {
    const folders = [];
    for (let at = folder; at !== this.#root; at = dirname(at)) folders.push(at);
    await Promise.all(folders.map(syncFolder));
  }

  async #reached<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } catch (error) {
      throw folderError(error, this.#root);
    }
  }
}

function symbolicLink(path: string): StoreUnavailable {
  return new StoreUnavailable(`${path} is a symbolic link, which is not followed: remove it from the volume.`);
}

function isAbsence(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

async function statusOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    // Removed meanwhile, being empty; the folder above knows.
    if (isAbsence(error)) return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    // A file system that cannot do it to folders.
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}
