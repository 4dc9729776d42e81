/** Where the API is reached. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelEnd } from '../channel/handshake.ts';
import { ChannelHttpServer } from '../channel/http-server.ts';
import { Connections } from '../gateway/connections.ts';
import type { Logger } from '../kube/types.ts';

/** ChannelHttpServer is one. */
export interface Listener {
  /** Listens; returns the port, for 0 the one chosen. Rejects where it is taken. */
  listen(port: number): Promise<number>;
  /** Accepts no connection any more and ends each as soon as nothing is answered on it; resolves when all have ended. */
  close(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

/** Returns the port that only gateways can speak to (docs/design/0014-files-and-batch.md). */
export function gatewaysOnly(http: Server, end: ChannelEnd, logger: Logger): Listener {
  return new ChannelHttpServer({ http, end, logger });
}

/** Returns a port for programs on this machine, which are believed whatever they say. */
export function thisMachineOnly(http: Server): Listener {
  const connections = new Connections(http);
  return {
    async listen(port) {
      await new Promise<void>((resolve, reject) => {
        http.once('error', reject);
        http.listen(port, '127.0.0.1', resolve);
      });
      return (http.address() as AddressInfo).port;
    },
    close: () => connections.close(),
    destroy: () => connections.destroy(),
  };
}

/** Closes, lets requests end for that long, and cuts those that have not. */
export async function closeWithin(listener: Listener, graceMs: number): Promise<void> {
  const over = new AbortController();
  const closed = listener.close().finally(() => over.abort());
  const late = await delay(graceMs, true, { signal: over.signal }).catch(() => false);
  if (late) listener.destroy();
  await closed;
}
