/** The gateway's end of the load channel: a TLS port where the leading operator listens to reports. */
import type { TLSSocket } from 'node:tls';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import { Connection } from './connection.ts';
import type { ChannelEnd } from './handshake.ts';
import { ChannelListener } from './listener.ts';
import {
  DEPLOYMENTS_PER_LINE,
  parseHeartbeat,
  REPORT_INTERVAL_MS,
  type DeploymentReport,
  type Heartbeat,
  type Report,
} from './messages.ts';

/** Connections from one address at one time: that of an operator needs one, and leaves others behind when it breaks. */
const MAX_PER_ADDRESS = 4;

/** Where reports come from. */
export interface ReportSource {
  /** Returns what changed since `version`, and the version to ask with next; 0 asks for all that was ever counted. */
  changesSince(version: number): { version: number; deployments: DeploymentReport[] };
  /** Calls `listener` when something should not wait for the next report; returns how to stop that. */
  onUrgent(listener: () => void): () => void;
}

/** What is said to leaders besides the load, and what they say. */
export interface LeaderTalk {
  /** Returns what changed since `version`, and the version to ask with next; undefined for nothing. 0 asks for all. */
  wordsSince(version: number): { version: number; words: Pick<Report, 'watch' | 'sealingKeys'> } | undefined;
  /** Calls `listener` when the words changed; returns how to stop that. */
  onUrgent(listener: () => void): () => void;
  /** Takes what a leader says. */
  heard(message: Heartbeat): void;
}

export interface ChannelServerOptions {
  end: ChannelEnd;
  source: ReportSource;
  talk?: LeaderTalk;
  logger: Logger;
  /** Called with the number of operators that are told of the load. */
  onLeaders?: (count: number) => void;
}

export class ChannelServer {
  readonly #options: ChannelServerOptions;
  readonly #listener: ChannelListener;
  #leaders = 0;

  constructor(options: ChannelServerOptions) {
    this.#options = options;
    this.#listener = new ChannelListener({
      identity: options.end.identity,
      maxPerAddress: MAX_PER_ADDRESS,
      onConnection: (socket) => void this.#serve(socket),
      logger: options.logger,
    });
  }

  /** Listens; returns the port, for 0 the one chosen. Rejects where it is taken. */
  async listen(port: number, host?: string): Promise<number> {
    return await this.#listener.listen(port, host);
  }

  /** Ends all connections and the port. */
  async close(): Promise<void> {
    const closed = this.#listener.close();
    this.#listener.destroy();
    await closed;
  }

  async #serve(socket: TLSSocket): Promise<void> {
    const connection = new Connection(socket);
    try {
      await connection.shakeHands(this.#options.end);
      await this.#report(connection);
    } catch (error) {
      this.#options.logger.debug({ error: describeError(error) }, 'a connection of the load channel ended');
    } finally {
      connection.close();
    }
  }

  /** Reports until the connection ends. */
  async #report(connection: Connection): Promise<void> {
    const { source, talk } = this.#options;
    let version = 0;
    let wordsVersion = 0;
    const say = (): void => {
      if (connection.congested) return;
      const changed = talk?.wordsSince(wordsVersion);
      if (changed === undefined) return;
      wordsVersion = changed.version;
      connection.send({ type: 'report', more: true, deployments: [], ...changed.words });
    };
    const tell = (): void => {
      say();
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
    const endWords = talk?.onUrgent(say);
    try {
      tell();
      for await (const message of connection.messages(parseHeartbeat)) talk?.heard(message);
    } finally {
      clearInterval(timer);
      endUrgent();
      endWords?.();
      this.#countLeaders(-1);
    }
  }

  #countLeaders(change: number): void {
    this.#leaders += change;
    this.#options.onLeaders?.(this.#leaders);
  }
}
