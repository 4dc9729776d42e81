/** Bytes of server-sent events, cut at the ends of events and nowhere else. Lines end in LF or CRLF. */
export class WholeEvents {
  #held: Buffer[] = [];
  #heldBytes = 0;

  /** Bytes of an event whose end has not come. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes the next bytes of the stream; returns all whole events so far not returned, undefined where there is none. */
  push(chunk: Buffer): Buffer | undefined {
    const end = this.#endOfLastEvent(chunk);
    if (end === 0) {
      this.#hold(chunk);
      return undefined;
    }
    const tail = chunk.subarray(0, end);
    const events = this.#heldBytes === 0 ? tail : Buffer.concat([...this.#held, tail]);
    this.#held = [];
    this.#heldBytes = 0;
    if (end < chunk.length) this.#hold(chunk.subarray(end));
    return events;
  }

  /** Returns what no empty line has ended, at the end of the stream; empty where there is none. */
  rest(): Buffer {
    return Buffer.concat(this.#held.splice(0));
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  #endOfLastEvent(chunk: Buffer): number {
    const end = endOfLastEmptyLine(chunk);
    if (end > 0 || this.#heldBytes === 0) return end;
    // An empty line may stand half in what is held: \n | \n, \n | \r\n, \n\r | \n.
    const before = this.#lastHeld(2);
    const seam = Buffer.concat([before, chunk.subarray(0, 2)]);
    return Math.max(0, endOfLastEmptyLine(seam) - before.length);
  }

  #lastHeld(count: number): Buffer {
    const last = this.#held.at(-1) ?? Buffer.alloc(0);
    if (last.length >= count || this.#held.length < 2) return last.subarray(-count);
    return Buffer.concat([this.#held.at(-2) ?? Buffer.alloc(0), last]).subarray(-count);
  }
}

/** Returns the position after the last empty line; 0 where there is none. */
function endOfLastEmptyLine(bytes: Buffer): number {
  const plain = bytes.lastIndexOf('\n\n');
  const carriage = bytes.lastIndexOf('\n\r\n');
  return Math.max(plain === -1 ? 0 : plain + 2, carriage === -1 ? 0 : carriage + 3);
}
