/**
 * As much of an API server as the CLI asks for where nothing of a real one matters: lists, and ports of pods over WebSocket
 * as kubelets forward them (`v4.channel.k8s.io`).
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { stringify } from 'yaml';

export interface FakeKubeApi {
  readonly kubeconfig: string;
  /** Answers by path; what is not in it is 404. An item with `code` is an error. */
  readonly lists: Map<string, object[] | { code: number; message: string }>;
  /** Pods whose port was forwarded, in order. */
  readonly forwarded: string[];
  /** The local port that stands for the ports of all pods; where it is text, what the kubelet says instead. */
  target: number | string;
  /** Into how many bytes what the server sends is cut. */
  pieceBytes: number;
  close(): Promise<void>;
}

export async function startFakeKubeApi(): Promise<FakeKubeApi> {
  const folder = await mkdtemp(join(tmpdir(), 'infer-fake-api-'));
  const sockets = new Set<Duplex>();
  const server = createServer(({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const items = api.lists.get(pathname) ?? { code: pathname.endsWith('/portforward') ? 400 : 404, message: 'none' };
    const body = Array.isArray(items)
      ? { kind: 'List', metadata: { resourceVersion: '1' }, items }
      : { kind: 'Status', reason: 'Refused', ...items };
    response.writeHead(Array.isArray(items) ? 200 : items.code, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  server.on('upgrade', ({ url = '', headers }, socket) => {
    sockets.add(socket);
    const [, pod = ''] = /pods\/([^/]+)\/portforward\?ports=8000$/.exec(url) ?? [];
    if (api.lists.has(new URL(url, 'http://localhost').pathname)) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    api.forwarded.push(pod);
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
        `sec-websocket-accept: ${accept}\r\nsec-websocket-protocol: ${headers['sec-websocket-protocol']}\r\n\r\n`,
    );
    serve(socket, api);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigOf(`http://127.0.0.1:${port}`));
  const api: FakeKubeApi = {
    kubeconfig,
    lists: new Map(),
    forwarded: [],
    target: 0,
    pieceBytes: 16_384,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await closed;
      await rm(folder, { recursive: true });
    },
  };
  return api;
}

function kubeconfigOf(server: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'fake', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'fake', user: {} }],
    contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'team-a' } }],
    'current-context': 'fake',
  });
}

/** One connection to a pod's port, as kubelet serves it. */
function serve(socket: Duplex, { target, pieceBytes }: FakeKubeApi): void {
  const send = (opcode: number, payload: Uint8Array): void => {
    const frame = serverFrame(opcode, payload);
    for (let at = 0; at < frame.length; at += pieceBytes) socket.write(frame.subarray(at, at + pieceBytes));
  };
  socket.on('error', () => undefined);
  for (const channel of [0, 1]) send(2, Buffer.of(channel, 8000 & 0xff, 8000 >> 8));
  if (typeof target === 'string') {
    send(2, Buffer.concat([Buffer.of(1), Buffer.from(target)]));
    send(8, Buffer.alloc(0));
    socket.end();
    return;
  }
  const pod = connect(target, '127.0.0.1');
  pod.on('error', () => socket.destroy());
  // Anything between is answered and passed over.
  send(9, Buffer.from('ping'));
  pod.on('data', (chunk: Buffer) => send(2, Buffer.concat([Buffer.of(0), chunk])));
  pod.on('end', () => {
    send(8, Buffer.alloc(0));
    socket.end();
  });
  socket.on('close', () => pod.destroy());
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = clientFrame(pending); frame !== undefined; frame = clientFrame(pending)) {
      pending = pending.subarray(frame.bytes);
      if (frame.opcode === 2) pod.write(frame.payload.subarray(1));
      if (frame.opcode === 8) pod.end();
    }
  });
}

function serverFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Returns the first frame, unmasked; undefined where it is not whole yet. */
function clientFrame(bytes: Buffer): { opcode: number; payload: Buffer; bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  if (((bytes[1] ?? 0) & 0x80) === 0) throw new Error('a client must mask its frames');
  const maskAt = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < maskAt + 4) return undefined;
  const length = maskAt === 2 ? short : maskAt === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const start = maskAt + 4;
  if (bytes.length < start + length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let at = 0; at < length; at += 1) payload[at] = (payload[at] ?? 0) ^ (bytes[maskAt + (at & 3)] ?? 0);
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload, bytes: start + length };
}
