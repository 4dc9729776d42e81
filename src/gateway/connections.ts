import { Server as NetServer, type Socket } from 'node:net';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/**
 * The connections of an HTTP server, so that it can close without cutting an answer. Node's own `close` destroys those
 * whose answer was handed over and not yet sent, a slow reader's for example.
 */
export class Connections {
  readonly #server: Server;
  /** Requests that each works on. */
  readonly #active = new Map<Socket, number>();
  #closing = false;

  /** To be made before the server listens. */
  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#active.set(socket, 0);
      socket.once('close', () => this.#active.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#active.set(socket, (this.#active.get(socket) ?? 0) + 1);
      response.once('close', () => this.#ended(socket));
    });
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Accepts no connection any more and closes each as soon as it is idle; resolves when all are closed. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()));
    for (const [socket, active] of this.#active) if (active === 0) socket.end();
    await closed;
  }

  /** Cuts what is left. */
  destroy(): void {
    for (const socket of this.#active.keys()) socket.destroy();
  }

  #ended(socket: Socket): void {
    const active = this.#active.get(socket);
    if (active === undefined) return;
    this.#active.set(socket, active - 1);
    if (this.#closing && active === 1) socket.end();
  }
}
