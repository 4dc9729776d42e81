import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DownloadFailure, TemporaryError } from './failure.ts';
import { OWN_DIRECTORY, type RepositoryFile } from './files.ts';
import { connectionError, type OpenFile } from './hub.ts';
import { retrying, type RetryPolicy } from './retry.ts';

export interface Transfer {
  /** The model's directory. */
  readonly directory: string;
  readonly file: RepositoryFile;
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Asks the hub for the file from a byte on. */
  readonly open: (start: number) => Promise<OpenFile>;
  /** Bytes of the file that are on disk now, negative where some are worth nothing; and how many came by network. */
  readonly moved: (bytes: number, received: number) => void;
}

const READ_BYTES = 1024 * 1024;

/**
 * Downloads one file: what an earlier run left is kept and continued, the digest is checked over all of it, and only
 * then does the file get its name. So a file under its own name is whole, whenever the process dies.
 * The partial file is named by the digest that its end must have: it can only be continued with the same content.
 * @throws DownloadFailure ChecksumMismatch when the content is wrong twice, DiskFull, HubUnreachable.
 */
export async function transferFile(transfer: Transfer): Promise<void> {
  const { directory, file, policy, signal } = transfer;
  const partial = join(directory, OWN_DIRECTORY, 'partial', file.digest.hex);
  await mkdir(dirname(partial), { recursive: true });
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const state = await readPartial(handle, file);
    transfer.moved(state.size, 0);
    let wrong = 0;
    await retrying(`Downloading ${file.path}`, policy, signal, async (progress) => {
      if (state.size < file.size) await receive(transfer, handle, state, progress);
      if (state.hash.copy().digest('hex') === file.digest.hex) return;
      wrong += 1;
      await restart(transfer, handle, state);
      if (wrong < 2) throw new TemporaryError(`${file.path} arrived with other content than the hub lists`);
      throw new DownloadFailure(
        'ChecksumMismatch',
        `The content of ${file.path} does not match the hub's checksum, twice: check the mirror or proxy in between.`,
      );
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  const target = join(directory, file.path);
  await mkdir(dirname(target), { recursive: true });
  await rename(partial, target);
  await syncDirectory(dirname(target));
}

/** Whether the file is there with the right size and content. */
export async function isPresent(directory: string, file: RepositoryFile): Promise<boolean> {
  const path = join(directory, file.path);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size !== file.size) return false;
  const handle = await open(path, 'r');
  try {
    const { hash } = await readPartial(handle, file);
    return hash.digest('hex') === file.digest.hex;
  } finally {
    await handle.close();
  }
}

/** Makes names in a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

interface Partial {
  size: number;
  hash: Hash;
}

/** A hash over which the content of the file, once all is fed, gives the digest that the hub lists. */
export function contentHash(file: RepositoryFile): Hash {
  // Git's blob id covers a header with the length.
  return file.digest.algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${file.size}\0`);
}

/** Reads what is there into the digest; more bytes than the file has are worth nothing. */
async function readPartial(handle: FileHandle, file: RepositoryFile): Promise<Partial> {
  const { size } = await handle.stat();
  const hash = contentHash(file);
  if (size > file.size) {
    await handle.truncate(0);
    return { size: 0, hash };
  }
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return { size: at, hash };
}

async function restart(transfer: Transfer, handle: FileHandle, state: Partial): Promise<void> {
  transfer.moved(-state.size, 0);
  state.size = 0;
  state.hash = contentHash(transfer.file);
  await handle.truncate(0);
}

/** Receives what is missing; returns when the size is reached. */
async function receive(transfer: Transfer, handle: FileHandle, state: Partial, progress: () => void): Promise<void> {
  const { file, signal } = transfer;
  const { start, body } = await transfer.open(state.size);
  if (start !== state.size) await restart(transfer, handle, state);
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextChunk(chunks, file, signal);
      if (next === undefined) break;
      if (state.size + next.length > file.size) {
        await restart(transfer, handle, state);
        throw new TemporaryError(`${file.path} arrived longer than the hub lists`);
      }
      await writeAll(handle, next, state.size);
      state.hash.update(next);
      state.size += next.length;
      transfer.moved(next.length, next.length);
      progress();
    }
  } finally {
    await chunks.return?.();
  }
  if (state.size < file.size) throw new TemporaryError(`the connection ended in the middle of ${file.path}`);
}

// Apart from the writing, so that an error of the connection is not taken for one of the disk.
async function nextChunk(
  chunks: AsyncIterator<Buffer>,
  file: RepositoryFile,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const { done, value } = await chunks.next();
    return done === true ? undefined : value;
  } catch (error) {
    if (signal.aborted) throw error;
    throw connectionError(error, `the source of ${file.path}`);
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}
