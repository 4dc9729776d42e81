/** The gateway's end of the load channel: a TLS port where the leading operator listens to reports. */
import { constants } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import { Connection, type ChannelEnd } from './connection.ts';
import { DEPLOYMENTS_PER_LINE, parseHeartbeat, REPORT_INTERVAL_MS, type DeploymentReport } from './messages.ts';

/** Connections from one address at one time: that of an operator needs one, and leaves others behind when it breaks. */
const MAX_PER_ADDRESS = 4;

/** Where reports come from. */
export interface ReportSource {
  /** Returns what changed since `version`, and the version to ask with next; 0 asks for all that was ever counted. */
  changesSince(version: number): { version: number; deployments: DeploymentReport[] };
  /** Calls `listener` when something should not wait for the next report; returns how to stop that. */
  onUrgent(listener: () => void): () => void;
}

export interface ChannelServerOptions {
  end: ChannelEnd;
  source: ReportSource;
  logger: Logger;
  /** Called with the number of operators that are told of the load. */
  onLeaders?: (count: number) => void;
}

export class ChannelServer {
  readonly #options: ChannelServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many each address has open. */
  readonly #open = new Map<string, number>();
  #leaders = 0;

  constructor(options: ChannelServerOptions) {
    this.#options = options;
    const { key, cert } = options.end.identity.certificate;
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
    this.#server.on('secureConnection', (socket) => void this.#serve(socket));
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
    this.#server.on('error', (error) => this.#log(error, 'the load channel failed'));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections and the port. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: TLSSocket): Promise<void> {
    const connection = new Connection(socket);
    try {
      await connection.shakeHands(this.#options.end);
      await this.#report(connection);
    } catch (error) {
      this.#log(error, 'a connection of the load channel ended');
    } finally {
      connection.close();
    }
  }

  /** Reports until the connection ends. */
  async #report(connection: Connection): Promise<void> {
    const { source } = this.#options;
    let version = 0;
    const tell = (): void => {
      // The next report says again what a slow reader is not told now.
      if (connection.congested) return;
      const { deployments, version: next } = source.changesSince(version);
      for (let from = 0; from === 0 || from < deployments.length; from += DEPLOYMENTS_PER_LINE) {
        const part = deployments.slice(from, from + DEPLOYMENTS_PER_LINE);
        const more = from + DEPLOYMENTS_PER_LINE < deployments.length;
        connection.send({ type: 'report', more, deployments: part });
      }
      version = next;
    };
    this.#countLeaders(1);
    const timer = setInterval(tell, REPORT_INTERVAL_MS);
    const endUrgent = source.onUrgent(tell);
    try {
      tell();
      // Its heartbeats say nothing but that it is there.
      for await (const _ of connection.messages(parseHeartbeat));
    } finally {
      clearInterval(timer);
      endUrgent();
      this.#countLeaders(-1);
    }
  }

  /** Before the TLS handshake: whoever only tries must not take the place of others. */
  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const open = this.#open.get(address) ?? 0;
    if (open >= MAX_PER_ADDRESS) {
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

  #countLeaders(change: number): void {
    this.#leaders += change;
    this.#options.onLeaders?.(this.#leaders);
  }

  #log(error: unknown, message: string): void {
    this.#options.logger.debug({ error: describeError(error) }, message);
  }
}
