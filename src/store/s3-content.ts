import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** How often in a row a body is asked for again without a byte of it having come. */
const MAX_FRUITLESS = 3;
const PAUSE_MS = 200;

/** Where a body is to go on from, and what becomes of an error. */
export interface S3ContentOptions {
  readonly from: number;
  /** The first byte that is not read. */
  readonly end: number;
  /** Returns the bytes of the same object from one on to `end`; what it throws is final. */
  readonly reopen: (from: number) => Promise<Readable>;
  readonly failed: (error: unknown) => Error;
  readonly signal: AbortSignal | undefined;
}

/**
 * Returns a body as a stream that outlives its connection: when that breaks, also because the reader was idle for too long,
 * the rest is asked for again.
 */
export function s3Content(first: Readable, options: S3ContentOptions): Readable {
  const { end, signal } = options;
  let at = options.from;
  let fruitless = 0;
  let body: ChunkReader | undefined = new ChunkReader(first);

  const next = async (): Promise<Uint8Array | null> => {
    while (at < end) {
      if (body === undefined) {
        const reopened = new ChunkReader(await options.reopen(at));
        if (stream.destroyed) reopened.close();
        body = reopened;
      }
      try {
        const chunk = await body.next();
        at += chunk.length;
        fruitless = 0;
        return chunk;
      } catch (error) {
        body.close();
        body = undefined;
        fruitless += 1;
        if (stream.destroyed || fruitless > MAX_FRUITLESS) throw options.failed(error);
        await delay(PAUSE_MS * fruitless, undefined, signal === undefined ? {} : { signal });
      }
    }
    return null;
  };

  const stream = new Readable({
    ...(signal === undefined ? {} : { signal }),
    read() {
      next().then(
        (chunk) => this.push(chunk),
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      if (at < end) body?.close();
      else body?.finish();
      done(error);
    },
  });
  return stream;
}

/** Reads a body chunk by chunk; one that ends is an error too, since its reader knows when it has all. */
class ChunkReader {
  readonly #body: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;

  constructor(body: Readable) {
    this.#body = body;
    // It may break while nobody waits for a chunk; the next one then throws.
    body.on('error', () => undefined);
    this.#chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async next(): Promise<Uint8Array> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw Object.assign(new Error('the body ended early'), { code: 'ECONNRESET' });
    return value;
  }

  close(): void {
    this.#body.destroy();
  }

  /** Lets a body that was read whole give back its connection. */
  finish(): void {
    this.#body.resume();
  }
}
