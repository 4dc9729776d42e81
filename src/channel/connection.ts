/** One connection of the load channel, either end: lines over TLS, with the handshake by which the ends know each other. */
import type { TLSSocket } from 'node:tls';
import { splitLines } from '../kube/lines.ts';
import type { ObjectReference } from '../kube/types.ts';
import { keyHashOf } from './certificate.ts';
import type { ChannelIdentity } from './identity.ts';
import {
  encode,
  MAX_HELLO_BYTES,
  MAX_LINE_BYTES,
  parseHello,
  PROTOCOL,
  SILENCE_MS,
  type Heartbeat,
  type Hello,
  type Report,
} from './messages.ts';
import type { Peer, PeerVerifier } from './verifier.ts';

/** Both ends answer at once, but for a token that has to be asked for or keys that have to be read. */
const HANDSHAKE_MS = 10_000;
/** A peer that reads so slowly is not sent more. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** What one end brings to every connection. */
export interface ChannelEnd {
  identity: ChannelIdentity;
  verifier: PeerVerifier;
  /** Of this start of the process. */
  instance: string;
  /** The ServiceAccount that the other end must have. */
  peerAccount: Required<ObjectReference>;
}

export interface Handshake extends Peer {
  instance: string;
}

export class Connection {
  readonly #socket: TLSSocket;
  readonly #lines: AsyncGenerator<string>;
  #maxLineBytes = MAX_HELLO_BYTES;
  #error: Error | undefined;
  #silence: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;

  /** Takes over a socket whose TLS handshake is done. */
  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    // It is told by the end of the lines.
    socket.on('error', (error) => (this.#error ??= error));
    this.#silence = setTimeout(() => this.close(new Error('the peer fell silent')), HANDSHAKE_MS);
    socket.once('close', () => {
      clearTimeout(this.#silence);
      clearTimeout(this.#expiry);
    });
    this.#lines = splitLines(socket, () => this.#maxLineBytes);
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /**
   * Says who this end is and learns who the other is. Throws an Error that says why the other is not believed, or
   * ApiError and ConnectionError where the API server does not help.
   */
  async shakeHands(end: ChannelEnd): Promise<Handshake> {
    const { value: token, issuer } = await end.identity.token();
    this.send({ type: 'hello', protocol: PROTOCOL, token, instance: end.instance });
    const hello: Hello = parseHello(await this.#first());
    if (hello.protocol !== PROTOCOL) {
      throw new Error(`the peer speaks protocol ${hello.protocol} and not ${PROTOCOL}: it is of another version`);
    }
    const certificate = this.#socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('the peer showed no certificate');
    const keyHash = keyHashOf(certificate.publicKey);
    const peer = await end.verifier.verify(hello.token, { keyHash, issuer, account: end.peerAccount });
    // The timers below would outlive it.
    if (this.#socket.destroyed) throw this.#error ?? new Error('the peer closed the connection');
    this.#maxLineBytes = MAX_LINE_BYTES;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.close(new Error('the peer fell silent')), SILENCE_MS);
    // A connection lives as long as the word of the API server that vouches for its peer; then it is made anew.
    this.#expiry = setTimeout(
      () => this.close(new Error("the peer's token expired")),
      Math.max(0, Math.min(peer.expiresAtMs - Date.now(), 2 ** 31 - 1)),
    );
    return { ...peer, instance: hello.instance };
  }

  /** Yields what the peer says after the handshake. Throws the reason when the connection ends otherwise than in order. */
  async *messages<T>(parse: (line: string) => T): AsyncGenerator<T> {
    try {
      for (;;) {
        const { value, done } = await this.#lines.next();
        if (done === true) break;
        this.#silence.refresh();
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
  send(message: Hello | Report | Heartbeat): void {
    if (!this.#socket.destroyed) this.#socket.write(encode(message));
  }

  /** Ends the connection at once; messages() then throws `reason`, or ends where there is none. */
  close(reason?: Error): void {
    if (reason !== undefined) this.#error ??= reason;
    this.#socket.destroy();
  }

  async #first(): Promise<string> {
    let next: IteratorResult<string>;
    try {
      next = await this.#lines.next();
    } catch (error) {
      throw this.#error ?? error;
    }
    if (next.done === true) throw this.#error ?? new Error('the peer closed the connection without a word');
    return next.value;
  }
}
