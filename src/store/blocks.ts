import { ObjectTooLarge } from './object-store.ts';

/** What `put` is given to read from. */
export type Source = AsyncIterable<Uint8Array> | Uint8Array;

/** How a source is read. */
export interface BlockOptions {
  /** Returns the buffer for the next block, whose length is the block's; it may be one that the consumer is done with. */
  readonly buffer: () => Buffer | Promise<Buffer>;
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Yields the bytes of a source in full blocks, the last one shorter; nothing for an empty source. The source is only read
 * while a block is asked for, and is ended with the generator. Throws what the source throws, the reason of the signal,
 * also while the source is silent, and ObjectTooLarge before it yields a byte above `maxBytes`.
 */
export async function* blocks(source: Source, options: BlockOptions): AsyncGenerator<Buffer> {
  const { maxBytes = Infinity, signal } = options;
  let total = 0;
  let block: Buffer | undefined;
  let filled = 0;
  for await (const chunk of chunks(source, signal)) {
    total += chunk.length;
    if (total > maxBytes) throw new ObjectTooLarge(`The source has more than the ${maxBytes} bytes that are allowed.`);
    for (let from = 0; from < chunk.length;) {
      block ??= await options.buffer();
      const taken = Math.min(block.length - filled, chunk.length - from);
      block.set(chunk.subarray(from, from + taken), filled);
      from += taken;
      filled += taken;
      if (filled < block.length) continue;
      yield block;
      block = undefined;
      filled = 0;
    }
  }
  if (block !== undefined) yield block.subarray(0, filled);
}

async function* chunks(source: Source, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if (!(Symbol.asyncIterator in source)) {
    yield source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal);
      if (next.done === true) return;
      yield next.value;
      signal?.throwIfAborted();
    }
  } finally {
    // A generator that waits for something ends only after that, so an abort does not wait for its end.
    const ended = Promise.resolve(iterator.return?.()).catch(() => undefined);
    if (signal?.aborted !== true) await ended;
  }
}

/** Returns what the promise gives, or throws the reason of the signal as soon as that is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  return await new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    // The source may have aborted it itself.
    if (signal.aborted) abort();
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
