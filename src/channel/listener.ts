/** A TLS port for other processes of Infer, up to where the handshake of the channel begins. */
import { constants } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import type { ChannelIdentity } from './identity.ts';

export interface ChannelListenerOptions {
  identity: ChannelIdentity;
  /** Connections from one address at one time. */
  maxPerAddress: number;
  /** Takes over each connection whose TLS handshake is done. */
  onConnection: (socket: TLSSocket) => void;
  logger: Logger;
}

export class ChannelListener {
  readonly #options: ChannelListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many each address has open. */
  readonly #open = new Map<string, number>();

  constructor(options: ChannelListenerOptions) {
    this.#options = options;
    const { key, cert } = options.identity.certificate;
    this.#server = createServer({
      key,
      cert,
      minVersion: 'TLSv1.3',
      // Certificates prove only that the peer holds its key; the token that names the key says who it is.
      requestCert: true,
      rejectUnauthorized: false,
      // A resumed session would not show its certificate again.
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: 5_000,
    });
    this.#server.on('connection', (socket: Socket) => this.#admit(socket));
    this.#server.on('secureConnection', options.onConnection);
    // A handshake that fails is its client's affair.
    this.#server.on('tlsClientError', (error) => this.#log(error, 'a TLS handshake failed'));
  }

  /** Listens; returns the port, for 0 the one chosen. Rejects where it is taken. */
  async listen(port: number, host?: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) => this.#log(error, 'the port for other processes failed'));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Accepts no connection any more; resolves when all there are have ended. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Cuts all connections. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Before the TLS handshake: whoever only tries must not take the place of others. */
  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#options.maxPerAddress) {
      socket.destroy();
      return;
    }
    this.#open.set(address, open + 1);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    });
  }

  #log(error: unknown, message: string): void {
    this.#options.logger.debug({ error: describeError(error) }, message);
  }
}
