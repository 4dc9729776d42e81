/** One connection of the load channel, either end: lines over TLS, with the handshake by which the ends know each other. */
import type { TLSSocket } from 'node:tls';
import { splitLines } from '../kube/lines.ts';
import { onExpiry, shakeHands, type ChannelEnd, type Handshake } from './handshake.ts';
import { encode, MAX_LINE_BYTES, SILENCE_MS, type Heartbeat, type Report } from './messages.ts';

/** A peer that reads so slowly is not sent more. */
const MAX_UNSENT_BYTES = 1024 * 1024;

export class Connection {
  readonly #socket: TLSSocket;
  readonly #lines: AsyncGenerator<string>;
  #error: Error | undefined;
  #silence: NodeJS.Timeout | undefined;

  /** Takes over a socket whose TLS handshake is done. */
  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    // It is told by the end of the lines.
    socket.on('error', (error) => (this.#error ??= error));
    this.#lines = splitLines(socket, () => MAX_LINE_BYTES);
  }

  /**
   * Says who this end is and learns who the other is. Throws an Error that says why the other is not believed, or
   * ApiError and ConnectionError where the API server does not help.
   */
  async shakeHands(end: ChannelEnd): Promise<Handshake> {
    const peer = await shakeHands(this.#socket, end);
    this.#silence = setTimeout(() => this.close(new Error('the peer fell silent')), SILENCE_MS);
    const forgetExpiry = onExpiry(peer, () => this.close(new Error("the peer's token expired")));
    this.#socket.once('close', () => {
      clearTimeout(this.#silence);
      forgetExpiry();
    });
    return peer;
  }

  /** Yields what the peer says after the handshake. Throws the reason when the connection ends otherwise than in order. */
  async *messages<T>(parse: (line: string) => T): AsyncGenerator<T> {
    try {
      for (;;) {
        const { value, done } = await this.#lines.next();
        if (done === true) break;
        this.#silence?.refresh();
        yield parse(value);
      }
    } catch (error) {
      throw this.#error ?? error;
    } finally {
      this.close();
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** Whether the peer is too slow a reader to be told more now. */
  get congested(): boolean {
    return this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  /** Sends a message; nothing where the peer has gone. */
  send(message: Report | Heartbeat): void {
    if (!this.#socket.destroyed) this.#socket.write(encode(message));
  }

  /** Ends the connection at once; messages() then throws `reason`, or ends where there is none. */
  close(reason?: Error): void {
    if (reason !== undefined) this.#error ??= reason;
    this.#socket.destroy();
  }
}
