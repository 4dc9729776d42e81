/** How two processes of Infer get to know each other on a TLS connection: one line each way, whatever is spoken after it. */
import type { TLSSocket } from 'node:tls';
import type { ObjectReference } from '../kube/types.ts';
import { keyHashOf } from './certificate.ts';
import type { ChannelIdentity } from './identity.ts';
import { encode, MAX_HELLO_BYTES, parseHello, PROTOCOL } from './messages.ts';
import type { Peer, PeerVerifier } from './verifier.ts';

/** Both ends answer at once, but for a token that has to be asked for or keys that have to be read. */
const HANDSHAKE_MS = 10_000;
const NEWLINE = 0x0a;

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

/**
 * Says who this end is and learns who the other is; what came after the other's line stays in the socket to be read. The
 * socket must have a listener for errors. Throws an Error that says why the other is not believed, or ApiError and
 * ConnectionError where the API server does not help; the socket is the caller's to close then.
 */
export async function shakeHands(socket: TLSSocket, end: ChannelEnd): Promise<Handshake> {
  const silence = setTimeout(() => socket.destroy(new Error('the peer fell silent')), HANDSHAKE_MS);
  try {
    const { value: token, issuer } = await end.identity.token();
    if (socket.destroyed) throw socket.errored ?? new Error('the peer closed the connection without a word');
    socket.write(encode({ type: 'hello', protocol: PROTOCOL, token, instance: end.instance }));
    const hello = parseHello(await readLine(socket, MAX_HELLO_BYTES));
    if (hello.protocol !== PROTOCOL) {
      throw new Error(`the peer speaks protocol ${hello.protocol} and not ${PROTOCOL}: it is of another version`);
    }
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('the peer showed no certificate');
    const keyHash = keyHashOf(certificate.publicKey);
    const peer = await end.verifier.verify(hello.token, { keyHash, issuer, account: end.peerAccount });
    // Timers that the caller sets for it would outlive it.
    if (socket.destroyed) throw socket.errored ?? new Error('the peer closed the connection');
    return { ...peer, instance: hello.instance };
  } finally {
    clearTimeout(silence);
  }
}

/**
 * Calls `action` when the word of the API server that vouches for the peer ends: a connection lives no longer, and is then
 * made anew. Returns how to stop that.
 */
export function onExpiry({ expiresAtMs }: Peer, action: () => void): () => void {
  const timer = setTimeout(action, Math.max(0, Math.min(expiresAtMs - Date.now(), 2 ** 31 - 1)));
  return () => clearTimeout(timer);
}

/** Reads one line and nothing of what follows it. */
async function readLine(socket: TLSSocket, maxBytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const parts: Buffer[] = [];
  let length = 0;
  const onReadable = (): void => {
    for (let chunk = read(socket); chunk !== undefined; chunk = read(socket)) {
      const newline = chunk.indexOf(NEWLINE);
      const piece = newline === -1 ? chunk : chunk.subarray(0, newline);
      parts.push(piece);
      length += piece.length;
      if (length > maxBytes) return reject(new Error(`the hello is longer than ${maxBytes} bytes`));
      if (newline === -1) continue;
      // Without its listener: putting bytes back would call it again.
      socket.off('readable', onReadable);
      if (newline + 1 < chunk.length) socket.unshift(chunk.subarray(newline + 1));
      return resolve(Buffer.concat(parts, length).toString('utf8'));
    }
  };
  const onEnd = (): void => reject(new Error('the peer closed the connection without a word'));
  socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd).on('error', reject);
  try {
    return await promise;
  } finally {
    socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd).off('error', reject);
  }
}

function read(socket: TLSSocket): Buffer | undefined {
  return (socket.read() as Buffer | null) ?? undefined;
}
