/** The bodies of an input's requests, read in their order. */
import type { ObjectStore } from '../../store/object-store.ts';
import { topLevelValue } from '../../process/top-level-value.ts';
import type { LineIndex } from './line-index.ts';

/** Read at once: a few hundred usual lines. */
const WINDOW_BYTES = 1024 * 1024;

export class InputReader {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #lines: LineIndex;
  readonly #signal: AbortSignal;
  #window: { offset: number; bytes: Buffer } = { offset: 0, bytes: Buffer.alloc(0) };

  /** `key` is that of the input's content, `lines` where its lines stand. */
  constructor(store: ObjectStore, key: string, lines: LineIndex, signal: AbortSignal) {
    this.#store = store;
    this.#key = key;
    this.#lines = lines;
    this.#signal = signal;
  }

  /**
   * Returns the body of line `index`, byte for byte, and keeps what it read of the lines behind it; undefined where the input
   * is gone. Throws as the store does.
   */
  async body(index: number): Promise<Buffer | undefined> {
    const { offset, length } = this.#lines.at(index);
    if (length > WINDOW_BYTES) return await this.bodyAlone(index);
    const window = this.#window;
    if (offset < window.offset || offset + length > window.offset + window.bytes.length) {
      const bytes = await this.#read(offset, WINDOW_BYTES);
      if (bytes === undefined || bytes.length < length) return undefined;
      this.#window = { offset, bytes };
    }
    return bodyIn(this.#window.bytes, offset - this.#window.offset, length);
  }

  /** As `body`, of a line out of the order: nothing of it is kept. */
  async bodyAlone(index: number): Promise<Buffer | undefined> {
    const { offset, length } = this.#lines.at(index);
    const bytes = await this.#read(offset, length);
    return bytes === undefined || bytes.length < length ? undefined : bodyIn(bytes, 0, length);
  }

  async #read(from: number, length: number): Promise<Buffer | undefined> {
    const range = { from, to: from + length - 1 };
    const found = await this.#store.get(this.#key, { range, signal: this.#signal });
    if (found === undefined) return undefined;
    const pieces: Buffer[] = [];
    for await (const piece of found.content as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces);
  }
}

function bodyIn(bytes: Buffer, start: number, length: number): Buffer | undefined {
  const text = bytes.toString('utf8', start, start + length);
  const found = topLevelValue(text, 'body');
  return found && Buffer.from(text.slice(...found));
}
