/** An ObjectStore in memory, for tests of what stands on one. */
import { Readable } from 'node:stream';
import { ObjectTooLarge } from '../../src/store/object-store.ts';
import type { ByteRange, ObjectStore, StoredObject } from '../../src/store/object-store.ts';

const CHUNK_BYTES = 64 * 1024;

export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, { content: Buffer; writtenAtMs: number }>();

  async put(
    key: string,
    source: AsyncIterable<Uint8Array> | Uint8Array,
    options: { maxBytes?: number; signal?: AbortSignal } = {},
  ): Promise<number> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of source instanceof Uint8Array ? [source] : source) {
      options.signal?.throwIfAborted();
      bytes += piece.length;
      if (bytes > (options.maxBytes ?? Number.POSITIVE_INFINITY)) throw new ObjectTooLarge(key);
      pieces.push(piece);
    }
    options.signal?.throwIfAborted();
    this.objects.set(key, { content: Buffer.concat(pieces), writtenAtMs: Date.now() });
    return bytes;
  }

  async get(
    key: string,
    options: { range?: ByteRange; signal?: AbortSignal } = {},
  ): Promise<{ bytes: number; content: Readable } | undefined> {
    options.signal?.throwIfAborted();
    const object = this.objects.get(key);
    if (object === undefined) return undefined;
    const { from = 0, to = object.content.length - 1 } = options.range ?? {};
    return { bytes: object.content.length, content: Readable.from(chunks(object.content.subarray(from, to + 1))) };
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const object = this.objects.get(key);
    return object && { key, bytes: object.content.length, writtenAtMs: object.writtenAtMs };
  }

  async *list(prefix: string, options: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<StoredObject> {
    const { after = '', signal } = options;
    for (const key of [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()) {
      signal?.throwIfAborted();
      const object = await this.head(key);
      if (object) yield object;
    }
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }
}

function* chunks(content: Buffer): Generator<Buffer> {
  for (let start = 0; start < content.length; start += CHUNK_BYTES) yield content.subarray(start, start + CHUNK_BYTES);
}
