/** Cuts a byte stream into lines. */
import { WatchFormatError } from './errors.ts';

/** Ten times what etcd stores of an object by default (1.5 MiB), since larger limits and longer JSON exist. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Yields each line of `chunks` without its newline; empty lines are skipped.
 * Bytes are joined before they are decoded, so a character split over two chunks survives.
 * Throws WatchFormatError when a line is longer than `maxBytes()`, asked anew for each piece of it, or when the stream
 * ends within a line.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: () => number = () => MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      parts.push(chunk.subarray(start, end));
      length += end - start;
      if (length > maxBytes()) throw new WatchFormatError(`a line is longer than ${maxBytes()} bytes`);
      start = end + 1;
      if (newline === -1) break;
      if (length > 0) yield Buffer.concat(parts, length).toString('utf8');
      parts = [];
      length = 0;
    }
  }
  if (length > 0) throw new WatchFormatError('the stream ended within a line');
}
