import type { ServerResponse } from 'node:http';
import type { GatewayError } from '../errors.ts';

const STREAM_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx, where it stands in front, would collect the stream.
  'x-accel-buffering': 'no',
};
const HEARTBEAT = ': waiting for a replica\n\n';

/** Bytes of an answer that are worth being copied to save a write. */
const SHORT_BODY = 16 * 1024;

/** What has become of a client. `stalled`: it stopped to read. */
export type ClientEnd = 'gone' | 'stalled' | 'cut';

/** The client's side of one request: nothing is sent twice, nothing is sent to a client that has gone. */
export class ClientResponse {
  /** Set when the client went away, was cut because it stalled, or by cut(). */
  ended: ClientEnd | undefined;
  /** Bytes of an answer were sent (no heartbeats): from here on no other replica can take over. */
  answerBegun = false;
  /** Called when a client that was slow to read has taken all. */
  onDrain: () => void = () => {};
  /** Called once, when `ended` is set. */
  onEnd: () => void = () => {};
  readonly stream: boolean;
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #stallMs: number;
  /** Made for the few requests that wait: it costs as much as the rest of this object. */
  #gone: AbortController | undefined;
  #heartbeats: NodeJS.Timeout | undefined;

  /** `response` must be untouched by anybody else from here on. */
  constructor(response: ServerResponse, options: { requestId: string; stream: boolean; stallMs: number }) {
    this.#response = response;
    this.#requestId = options.requestId;
    this.#stallMs = options.stallMs;
    this.stream = options.stream;
    response.on('close', () => {
      this.stopHeartbeats();
      if (!response.writableFinished) this.#end('gone');
    });
    response.on('drain', () => {
      response.socket?.setTimeout(0);
      this.onDrain();
    });
    // The socket's idle timer, which any byte taken restarts; it runs only while the client owes us reading.
    response.on('timeout', () => {
      this.#end('stalled');
      response.destroy();
    });
    response.on('error', () => this.#end('gone'));
  }

  /** Aborts when `ended` is set. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.ended !== undefined) this.#gone.abort();
    }
    return this.#gone.signal;
  }

  /** Whether more should wait for onDrain. */
  get blocked(): boolean {
    return this.#response.writableNeedDrain;
  }

  /** Commits status 200 and sends the head of a stream at once; does nothing the second time. */
  startStream(): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(200, { ...STREAM_HEAD, 'x-request-id': this.#requestId });
    response.flushHeaders();
  }

  /** Commits status 200 for an answer too big to be held back. */
  startReply(): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': this.#requestId });
  }

  /** Sends a comment every `intervalMs` to keep the connection open; the first one commits status 200. */
  startHeartbeats(intervalMs: number): void {
    this.#heartbeats ??= setInterval(() => {
      this.startStream();
      if (!this.blocked && !this.#response.destroyed) this.#send(HEARTBEAT);
    }, intervalMs);
  }

  stopHeartbeats(): void {
    clearInterval(this.#heartbeats);
    this.#heartbeats = undefined;
  }

  /** Sends a part of the answer; false when the next should wait for onDrain. */
  write(bytes: Buffer): boolean {
    if (this.#response.destroyed) return true;
    this.answerBegun = true;
    return this.#send(bytes);
  }

  /** Ends the answer that write() began. */
  end(bytes?: Buffer | string, encoding: 'utf8' | 'latin1' = 'utf8'): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    this.#response.end(bytes, encoding);
    if (this.#response.writableLength > 0) this.#watchReader();
  }

  /** Sends a whole answer. */
  sendJson(status: number, body: Buffer | string, headers: Readonly<Record<string, string>> = {}): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    this.answerBegun = true;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    response.writeHead(status, {
      ...headers,
      'content-type': 'application/json',
      'content-length': length,
      'x-request-id': this.#requestId,
    });
    // Node joins a head with a string into one write; a buffer after it costs a second one.
    const short = typeof body !== 'string' && body.length <= SHORT_BODY;
    this.end(short ? body.toString('latin1') : body, short ? 'latin1' : 'utf8');
  }

  /** Tells the error in the way that is still open: by status, as the last event of a stream, or by a cut connection. */
  sendError(error: GatewayError): void {
    this.stopHeartbeats();
    if (!this.#response.headersSent) {
      this.sendJson(error.status, error.body, error.headers);
    } else if (this.stream) {
      this.end(`data: ${error.body}\n\n`);
    } else {
      this.#response.destroy();
    }
  }

  /** Ends the request with an error and lets go of the replica. */
  cut(error: GatewayError): void {
    this.sendError(error);
    this.#end('cut');
  }

  #send(bytes: Buffer | string): boolean {
    const taken = this.#response.write(bytes);
    if (!taken) this.#watchReader();
    return taken;
  }

  #watchReader(): void {
    this.#response.socket?.setTimeout(this.#stallMs);
  }

  #end(how: ClientEnd): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.#gone?.abort();
    this.onEnd();
  }
}
