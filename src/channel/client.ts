/** The leader's end of the load channel to one gateway: it connects, listens, and connects again. */
import { pause, retryDelay } from '../kube/backoff.ts';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import { Connection } from './connection.ts';
import { dial } from './dial.ts';
import type { ChannelEnd } from './handshake.ts';
import { HEARTBEAT_INTERVAL_MS, parseReport, type Heartbeat, type Report } from './messages.ts';

const BACKOFF = { baseMs: 200, maxMs: 10_000 };

export interface GatewayAddress {
  podUid: string;
  host: string;
  port: number;
}

/** Says something on one connection; returns false where the gateway is too slow a reader to be told more now. */
export type Tell = (message: Heartbeat) => boolean;

/** What a gateway is heard to say. */
export interface GatewayListener {
  /** It is there; `instance` differs from that of before where its process was started anew. */
  connected(podUid: string, instance: string, tell: Tell, isCongested: () => boolean): void;
  report(podUid: string, report: Report): void;
  disconnected(podUid: string): void;
}

export interface ChannelClientOptions {
  end: ChannelEnd;
  gateway: GatewayAddress;
  listener: GatewayListener;
  logger: Logger;
  /** Called with the class of each failure. */
  onFailure?: (reason: 'connect' | 'refused' | 'broken') => void;
}

/** Follows one gateway until `signal` aborts. Never rejects. */
export async function followGateway(options: ChannelClientOptions, signal: AbortSignal): Promise<void> {
  const { gateway, logger } = options;
  let failures = 0;
  while (!signal.aborted) {
    let stage: 'connect' | 'refused' | 'broken' = 'connect';
    const onStage = (reached: typeof stage): void => {
      stage = reached;
    };
    const onHeard = (): void => {
      failures = 0;
    };
    try {
      await listenOnce(options, signal, onStage, onHeard);
    } catch (error) {
      if (signal.aborted) break;
      options.onFailure?.(stage);
      // One that restarts or is on its way refuses for a while; the third time in a row somebody should know.
      const log = failures === 2 ? logger.warn.bind(logger) : logger.debug.bind(logger);
      log({ gateway: gateway.podUid, stage, error: describeError(error) }, 'no word from a gateway; connecting again');
    }
    await pause(retryDelay(failures, BACKOFF), signal);
    failures += 1;
  }
}

/** One connection from its beginning to its end. */
async function listenOnce(
  { end, gateway, listener }: ChannelClientOptions,
  signal: AbortSignal,
  onStage: (reached: 'refused' | 'broken') => void,
  onHeard: () => void,
): Promise<void> {
  const connection = new Connection(await dial(end.identity, gateway, signal));
  const abort = (): void => connection.close();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let timer: NodeJS.Timeout | undefined;
  let connected = false;
  try {
    onStage('refused');
    const peer = await connection.shakeHands(end);
    if (peer.podUid !== gateway.podUid) throw new Error(`the peer is pod ${peer.podUid ?? '(none)'}`);
    onStage('broken');
    connected = true;
    const tell: Tell = (message) => {
      if (connection.congested) return false;
      connection.send(message);
      return true;
    };
    listener.connected(gateway.podUid, peer.instance, tell, () => connection.congested);
    timer = setInterval(() => tell({ type: 'heartbeat' }), HEARTBEAT_INTERVAL_MS);
    for await (const report of connection.messages(parseReport)) {
      listener.report(gateway.podUid, report);
      // Only after a whole one: who is refused in the middle must not be asked for it again at once. What a gateway says
      // besides the load comes before, and says that more follows.
      if (!report.more) onHeard();
    }
    throw new Error('the gateway closed the connection');
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', abort);
    connection.close();
    if (connected) listener.disconnected(gateway.podUid);
  }
}
