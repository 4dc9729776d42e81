import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { StoreUnavailable } from './object-store.ts';

const READ_BYTES = 128 * 1024;

/** Which bytes of a file are read, and what becomes of an error. */
export interface FileContentOptions {
  readonly from: number;
  /** The first byte that is not read. */
  readonly end: number;
  readonly failed: (error: unknown) => Error;
  readonly signal: AbortSignal | undefined;
}

/** Returns a part of an open file as a stream that is read as fast as its reader takes it, and closes the file. */
export function fileContent(handle: FileHandle, { from, end, failed, signal }: FileContentOptions): Readable {
  let at = from;
  return new Readable({
    highWaterMark: READ_BYTES,
    ...(signal === undefined ? {} : { signal }),
    read() {
      const wanted = Math.min(READ_BYTES, end - at);
      if (wanted <= 0) {
        this.push(null);
        return;
      }
      handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at).then(
        ({ bytesRead, buffer }) => {
          at += bytesRead;
          if (bytesRead > 0) this.push(buffer.subarray(0, bytesRead));
          else
            this.destroy(
              new StoreUnavailable('A file of the store is shorter than it was: something else writes there.'),
            );
        },
        (error: unknown) => this.destroy(failed(error)),
      );
    },
    destroy(error, done) {
      handle.close().then(
        () => done(error),
        (closing: unknown) => done(error ?? failed(closing)),
      );
    },
  });
}
