/** Cuts a stream into lines as bytes, with where each stands. */

/** A line that is not blank, without its end. */
export interface InputLine {
  /** The first is 1; blank lines count. */
  readonly number: number;
  /** Of its first byte in the stream. */
  readonly offset: number;
  readonly length: number;
  /** Undefined for a line that is longer than was allowed: it is not kept. */
  readonly bytes: Buffer | undefined;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** The pieces of one line, dropped once they are more than allowed. */
class LineBuffer {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(piece: Buffer): void {
    this.length += piece.length;
    // One more for the carriage return, which is none of the line's.
    if (this.length > this.#maxBytes + 1) this.#pieces = [];
    else this.#pieces.push(piece);
  }

  /** Returns the line as it stands, and begins anew. */
  take(number: number, offset: number): InputLine | undefined {
    const { length } = this;
    const whole = this.#pieces.length > 0 || length === 0;
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.length = 0;
    if (!whole || bytes === undefined) return { number, offset, length, bytes: undefined };
    const trimmed = bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
    if (isBlank(trimmed)) return undefined;
    const line = { number, offset, length: trimmed.length };
    return { ...line, bytes: trimmed.length > this.#maxBytes ? undefined : trimmed };
  }
}

/**
 * Yields the lines of `chunks` that are not blank: ended by a newline, with or without a carriage return before it, or by
 * the end of the stream. A byte order mark at the start belongs to no line. `bytes` of a line may be a view of a chunk, good
 * until the next line is asked for. Never holds more than `maxBytes` of a line beside one chunk.
 */
export async function* inputLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<InputLine> {
  const line = new LineBuffer(maxBytes);
  let number = 1;
  let lineOffset = 0;
  let position = 0;
  for await (const chunk of withoutByteOrderMark(chunks)) {
    if (position === 0) {
      position = chunk.skipped;
      lineOffset = position;
    }
    const { bytes } = chunk;
    let start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline;
      if (end > start) line.add(bytes.subarray(start, end));
      start = end + 1;
      if (newline === -1) break;
      const found = line.length > 0 ? line.take(number, lineOffset) : undefined;
      number += 1;
      lineOffset = position + start;
      if (found) yield found;
    }
    position += bytes.length;
  }
  const last = line.length > 0 ? line.take(number, lineOffset) : undefined;
  if (last) yield last;
}

/** Yields the chunks; the first one without the byte order mark, which may come in pieces. */
async function* withoutByteOrderMark(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ bytes: Buffer; skipped: number }> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (head === undefined) {
      yield { bytes, skipped: 0 };
      continue;
    }
    head = Buffer.concat([head, bytes]);
    if (head.length < BYTE_ORDER_MARK.length) continue;
    yield cutMark(head);
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield cutMark(head);
}

function cutMark(head: Buffer): { bytes: Buffer; skipped: number } {
  const marked = BYTE_ORDER_MARK.every((byte, index) => head[index] === byte);
  const skipped = marked ? BYTE_ORDER_MARK.length : 0;
  return { bytes: head.subarray(skipped), skipped };
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === CARRIAGE_RETURN);
}
