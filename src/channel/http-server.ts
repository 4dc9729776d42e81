/** HTTP/1.1 for other processes of Infer: on connections whose ends know each other by the handshake of the channel. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import { onExpiry, shakeHands, type ChannelEnd } from './handshake.ts';
import { ChannelListener } from './listener.ts';

/** Connections from one address at one time: the pool of a busy process, and what its handshakes leave behind. */
const MAX_PER_ADDRESS = 1024;
/** After which TCP asks a peer that says nothing whether it is still there. */
const PROBE_MS = 15_000;

export interface ChannelHttpOptions {
  /**
   * Answers the requests; it does not listen by itself. Its keep-alive must be longer than that of channelAgent(), which is
   * to be the end that closes.
   */
  http: Server;
  end: ChannelEnd;
  logger: Logger;
}

interface Link {
  /** Requests that are being answered on it. */
  active: number;
  /** It ends as soon as there are none. */
  retiring: boolean;
}

/** A port whose connections are given to an HTTP server once their peer is known to have `end.peerAccount`. */
export class ChannelHttpServer {
  readonly #options: ChannelHttpOptions;
  readonly #listener: ChannelListener;
  readonly #links = new Map<Socket, Link>();
  #closing = false;

  constructor(options: ChannelHttpOptions) {
    this.#options = options;
    const { end, http, logger } = options;
    this.#listener = new ChannelListener({
      identity: end.identity,
      maxPerAddress: MAX_PER_ADDRESS,
      onConnection: (socket) => void this.#serve(socket),
      logger,
    });
    // Before whoever answers it.
    http.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) =>
      this.#began(socket, response),
    );
  }

  /** Listens; returns the port, for 0 the one chosen. Rejects where it is taken. */
  async listen(port: number, host?: string): Promise<number> {
    const chosen = await this.#listener.listen(port, host);
    // Only then does a server look for heads and bodies that take longer than its timeouts; it does not listen itself.
    this.#options.http.emit('listening');
    return chosen;
  }

  /** Accepts no connection any more and ends each as soon as nothing is answered on it; resolves when all have ended. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = this.#listener.close();
    for (const [socket, link] of this.#links) retire(socket, link);
    await closed;
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#listener.destroy();
  }

  async #serve(socket: TLSSocket): Promise<void> {
    const { end, http, logger } = this.#options;
    // It came while its TLS handshake was under way.
    if (this.#closing) {
      socket.destroy();
      return;
    }
    const link: Link = { active: 0, retiring: false };
    this.#links.set(socket, link);
    socket.once('close', () => this.#links.delete(socket));
    socket.on('error', () => undefined);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PROBE_MS);
    try {
      const peer = await shakeHands(socket, end);
      socket.once(
        'close',
        onExpiry(peer, () => retire(socket, link)),
      );
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'a connection of another process was refused');
      socket.destroy();
      return;
    }
    http.emit('connection', socket);
  }

  #began(socket: Socket, response: ServerResponse): void {
    const link = this.#links.get(socket);
    if (link === undefined) return;
    link.active += 1;
    if (link.retiring) response.setHeader('connection', 'close');
    response.once('close', () => {
      link.active -= 1;
      if (link.retiring) retire(socket, link);
    });
  }
}

/** An idle one ends at once and whole: a request that comes in this moment is not read, so that it is not half done. */
function retire(socket: Socket, link: Link): void {
  link.retiring = true;
  if (link.active === 0) socket.destroySoon();
}
