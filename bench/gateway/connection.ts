/**
 * A client that costs next to nothing, so that what is measured is the other end: it sends bytes that were made before
 * and reads no more of an answer than tells where it ends and that it is whole.
 */
import { connect, type Socket } from 'node:net';

/** When an answer came, on `performance.now()`. */
export interface Answer {
  ok: boolean;
  sentAt: number;
  /** First byte of the body. */
  firstByteAt: number;
  endAt: number;
}

const LAST_CHUNK = '0\r\n\r\n';
/** Long enough for the last event of a stream and the last chunk after it. */
const TAIL_BYTES = 64;

interface Reading {
  settle: (answer: Answer) => void;
  sentAt: number;
  head: string;
  /** Undefined until the head is read. */
  body: { status: number; remaining: number | undefined } | undefined;
  firstByteAt: number;
  tail: string;
}

export class Connection {
  readonly #socket: Socket;
  #reading: Reading | undefined;
  #closed = false;

  /** Connects at once; requests wait for that. */
  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes: Buffer) => this.#read(bytes));
    this.#socket.on('error', () => undefined); // told by 'close'
    this.#socket.on('close', () => {
      this.#closed = true;
      this.#end(false);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends one request and returns its answer; one at a time. */
  async send(request: Buffer): Promise<Answer> {
    return await new Promise((settle) => {
      const sentAt = performance.now();
      this.#reading = { settle, sentAt, head: '', body: undefined, firstByteAt: sentAt, tail: '' };
      if (this.#closed) this.#end(false);
      else this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #end(ok: boolean): void {
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.settle({ ok, sentAt: reading.sentAt, firstByteAt: reading.firstByteAt, endAt: performance.now() });
  }

  #read(bytes: Buffer): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    if (reading.body === undefined) {
      reading.head += bytes.toString('latin1');
      const end = reading.head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const body = Buffer.from(reading.head.slice(end + 4), 'latin1');
      const length = /\r\ncontent-length: *(\d+)/i.exec(reading.head.slice(0, end))?.[1];
      reading.body = {
        status: Number(reading.head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)),
        remaining: length === undefined ? undefined : Number(length),
      };
      if (body.length > 0) this.#readBody(reading, body);
    } else {
      this.#readBody(reading, bytes);
    }
  }

  #readBody(reading: Reading, bytes: Buffer): void {
    if (reading.firstByteAt === reading.sentAt) reading.firstByteAt = performance.now();
    const { body } = reading;
    if (body === undefined) return;
    if (body.remaining !== undefined) {
      body.remaining -= bytes.length;
      if (body.remaining <= 0) this.#end(body.status === 200);
      return;
    }
    reading.tail = (reading.tail + bytes.toString('latin1', Math.max(0, bytes.length - TAIL_BYTES))).slice(-TAIL_BYTES);
    if (reading.tail.endsWith(LAST_CHUNK)) this.#end(body.status === 200 && reading.tail.includes('data: [DONE]\n\n'));
  }
}
