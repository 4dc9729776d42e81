/** An HTTP client for other processes of Infer: see http-server.ts. */
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Agent, type buildConnector } from 'undici';
import { dial } from './dial.ts';
import { shakeHands, type ChannelEnd } from './handshake.ts';

/** Less than the life that is left to a token which is shown, so that a connection is new before its peer would end it. */
const CONNECTION_LIFE_MS = 90_000;
/** Less than that of the servers, so that no request meets the end of an idle connection. */
const KEEP_ALIVE_MS = 4_000;

/** Returns the origin that a channelAgent() is asked for; the encryption is below the HTTP that it speaks. */
export function channelOrigin(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * Returns an agent whose connections are to processes that have `end.peerAccount`: requests to others fail with the Error
 * of the handshake before a byte of them is sent. Timeouts of requests are the caller's.
 */
export function channelAgent(end: ChannelEnd, options: { maxConnectionsPerOrigin: number }): Agent {
  const connector: buildConnector.connector = ({ hostname, port }, callback) => {
    connect(end, { host: hostname, port: Number(port) }).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
  return new Agent({
    connect: connector,
    connections: options.maxConnectionsPerOrigin,
    clientTtl: CONNECTION_LIFE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
}

async function connect(end: ChannelEnd, address: { host: string; port: number }): Promise<TLSSocket> {
  const socket = await dial(end.identity, address);
  socket.on('error', () => undefined);
  socket.setNoDelay(true);
  try {
    await shakeHands(socket, end);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}
