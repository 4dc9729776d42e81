/**
 * A connection to a port of a pod through the API server: WebSocket with the subprotocol `v4.channel.k8s.io`, which
 * kubelets (and the streaming servers of containerd and CRI-O) speak. Each message begins with its channel: 0 is what
 * passes, 1 is an error in words. The first two bytes that the server sends on each are the port.
 */
import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import type { KubeClient } from './client.ts';
import { encodeFrame, FrameDecoder, OPCODE, type Frame } from './websocket-frames.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const PORT_BYTES = 2;

/** Opens it. Throws ApiError where the API server refuses, ConnectionError where it cannot be reached. */
export async function openPodPort(
  client: Pick<KubeClient, 'upgrade'>,
  pod: { namespace: string; name: string },
  port: number,
): Promise<Duplex> {
  const path = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/portforward`;
  return new PodPort(await client.upgrade(path, { ports: String(port) }, PROTOCOL));
}

class PodPort extends Duplex {
  readonly #socket: Duplex;
  readonly #decoder = new FrameDecoder();
  /** How many bytes of the port each channel has still to tell. */
  readonly #portBytesLeft = new Map<number, number>();
  /** That of the message under way: only its first frame names it. */
  #channel = DATA;
  #error = '';

  constructor(socket: Duplex) {
    // TCP's half-open state does not exist on this protocol.
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('error', (error) => this.destroy(error));
    socket.once('end', () => this.#finish());
    socket.once('close', () => this.#finish());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(frameOf(OPCODE.binary, Buffer.concat([Buffer.of(DATA), chunk])), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(frameOf(OPCODE.close, Buffer.alloc(0)), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#handle(frame);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #handle({ opcode, payload }: Frame): void {
    if (opcode === OPCODE.ping) {
      if (this.#socket.writable) this.#socket.write(frameOf(OPCODE.pong, payload));
    } else if (opcode === OPCODE.close) this.#finish();
    else if (opcode === OPCODE.continuation) this.#receive(payload);
    else if (opcode === OPCODE.binary) {
      this.#channel = payload[0] ?? DATA;
      this.#receive(payload.subarray(1));
    }
  }

  #receive(bytes: Buffer): void {
    const left = this.#portBytesLeft.get(this.#channel) ?? PORT_BYTES;
    const skipped = Math.min(left, bytes.length);
    this.#portBytesLeft.set(this.#channel, left - skipped);
    const rest = bytes.subarray(skipped);
    if (rest.length === 0) return;
    if (this.#channel !== DATA) this.#error += rest.toString('utf8');
    else if (!this.push(rest)) this.#socket.pause();
  }

  #finish(): void {
    if (this.#error !== '') this.destroy(new Error(this.#error.trim()));
    else if (!this.readableEnded && !this.destroyed) this.push(null);
  }
}

function frameOf(opcode: number, payload: Buffer): Buffer {
  return encodeFrame(opcode, payload, randomBytes(4));
}
