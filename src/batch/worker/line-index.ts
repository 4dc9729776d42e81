/** Where the requests of an input stand, and whose they are: what is kept of it in memory and beside the results. */
import { inputLines } from './input.ts';

/** An entry is as long as its id, each character of which may be written as six. */
const ENTRY_BYTES = 16 * 1024;

const RECORDS_A_CHUNK = 500;

export class LineIndex {
  #offsets = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  readonly customIds: string[] = [];

  get size(): number {
    return this.customIds.length;
  }

  /** `offset` and `length` are in bytes of the input. */
  add(offset: number, length: number, customId: string): void {
    const { size } = this;
    if (size === this.#offsets.length) this.#grow(2 * size);
    this.#offsets[size] = offset;
    this.#lengths[size] = length;
    this.customIds.push(customId);
  }

  /** Returns where line `index` stands, in bytes, and its id. Throws RangeError where there is none. */
  at(index: number): { offset: number; length: number; customId: string } {
    const customId = this.customIds[index];
    if (customId === undefined) throw new RangeError(`there is no line ${index} of ${this.size}`);
    return { offset: this.#offsets[index] ?? 0, length: this.#lengths[index] ?? 0, customId };
  }

  /** Yields the index as JSONL, one `[offset,length,custom_id]` a line. */
  async *write(): AsyncGenerator<Buffer> {
    for (let start = 0; start < this.size; start += RECORDS_A_CHUNK) {
      const records: string[] = [];
      for (let index = start; index < Math.min(this.size, start + RECORDS_A_CHUNK); index += 1) {
        const { offset, length, customId } = this.at(index);
        records.push(`${JSON.stringify([offset, length, customId])}\n`);
      }
      yield Buffer.from(records.join(''));
    }
  }

  /** Returns the index that `write` wrote. */
  static async read(content: AsyncIterable<Uint8Array>): Promise<LineIndex> {
    const lines = new LineIndex();
    for await (const { bytes } of inputLines(content, ENTRY_BYTES)) {
      const [offset, length, customId] = JSON.parse(String(bytes)) as [number, number, string];
      lines.add(offset, length, customId);
    }
    return lines;
  }

  #grow(capacity: number): void {
    const offsets = new Float64Array(capacity);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
    const lengths = new Uint32Array(capacity);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}
