/** Frames of WebSocket (RFC 6455, section 5), as far as a client of the Kubernetes API needs them. */

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The length that needs 2 bytes more, and the one that needs 8. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
/** A frame of a pod's port has some 32 KiB; what claims more is no frame of ours. */
const MAX_PAYLOAD = 16 * 1024 * 1024;

/** Returns one whole message as a client sends it: final and masked with these 4 random bytes. */
export function encodeFrame(opcode: number, payload: Buffer, mask: Buffer): Buffer {
  const { length } = payload;
  const extra = length < LENGTH_16 ? 0 : length < 0x1_00_00 ? 2 : 8;
  const head = Buffer.alloc(2 + extra + 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (extra === 0 ? length : extra === 2 ? LENGTH_16 : LENGTH_64);
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  mask.copy(head, 2 + extra);
  const masked = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += 1) masked[at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  return Buffer.concat([head, masked]);
}

/** Cuts what a server sends into frames, however the bytes come. */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);

  /** Returns the frames that these bytes complete. Throws an Error for a frame that is masked or too long. */
  push(chunk: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | undefined {
    const bytes = this.#pending;
    if (bytes.length < 2) return undefined;
    const [first = 0, second = 0] = bytes;
    if ((second & 0x80) !== 0) throw new Error('the server sent a masked WebSocket frame');
    const start = 2 + (second === LENGTH_16 ? 2 : second === LENGTH_64 ? 8 : 0);
    if (bytes.length < start) return undefined;
    const length = start === 2 ? second : start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (length > MAX_PAYLOAD) throw new Error(`the server sent a WebSocket frame of ${length} bytes`);
    if (bytes.length < start + length) return undefined;
    this.#pending = bytes.subarray(start + length);
    return { opcode: first & 0x0f, payload: bytes.subarray(start, start + length) };
  }
}
