/** Opening a TLS connection to another process of Infer, up to where the handshake of the channel begins. */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { ChannelIdentity } from './identity.ts';

const CONNECT_MS = 5_000;

/** Returns the connection. Rejects where none comes within 5 s, or with an AbortError when `signal` aborts. */
export async function dial(
  identity: ChannelIdentity,
  address: { host: string; port: number },
  signal?: AbortSignal,
): Promise<TLSSocket> {
  const { key, cert } = identity.certificate;
  const socket = connect({
    host: address.host,
    port: address.port,
    key,
    cert,
    minVersion: 'TLSv1.3',
    // The handshake of the channel says whom the peer's key belongs to; nothing is told before that but who we are, in
    // a token that is worth nothing to anybody without our key.
    rejectUnauthorized: false,
  });
  const patience = AbortSignal.timeout(CONNECT_MS);
  try {
    await once(socket, 'secureConnect', { signal: signal ? AbortSignal.any([signal, patience]) : patience });
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
  return socket;
}
