/** The gateway's memory while one end does not read, measured in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '../../test/support/eventually.ts';
import { chat, FILES_KEY, KEY, startEngine, type FakeEngine } from '../../test/support/gateway.ts';

const MEGABYTE = 1024 * 1024;
const STREAM_BYTES = 16 * MEGABYTE;
const UPLOAD_BYTES = 200 * MEGABYTE;
const EVENT = `data: {"model":"tiny","choices":[{"delta":{"content":"${'x'.repeat(950)}"}}]}\n\n`;

let child: ChildProcess | undefined;
let engine: FakeEngine | undefined;
/** Stands in for the batch process. */
let store: Server | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  engine?.close();
  store?.close();
  store?.closeAllConnections();
  const ended = child === undefined ? undefined : once(child, 'exit');
  child?.kill('SIGKILL');
  await ended;
});

interface Memory {
  readonly rss: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly heapUsed: number;
}

/** Starts the gateway; returns its port and how to ask for its memory. */
async function start(origin: string): Promise<{ port: number; memory: () => Promise<Memory> }> {
  const script = join(import.meta.dirname, '../../test/support/gateway-memory.ts');
  const started = spawn(process.execPath, ['--expose-gc', script, origin], { stdio: ['pipe', 'pipe', 'inherit'] });
  child = started;
  const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const port = Number(await next());
  const memory = async (): Promise<Memory> => {
    started.stdin.write('\n');
    return JSON.parse(await next()) as Memory;
  };
  return { port, memory };
}

function request(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const body = JSON.stringify(chat('default/tiny', { stream: true }));
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return socket;
}

test('a 16 MB stream to a client that does not read costs the gateway less than 1 MB', async () => {
  // The engine writes as fast as it is read; `offered` counts what its own socket took.
  let offered = 0;
  const started = await startEngine(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let sent = 0; sent < STREAM_BYTES && !response.destroyed; sent += EVENT.length) {
      offered = sent;
      if (!response.write(EVENT)) await once(response, 'drain').catch(() => {});
    }
    response.end('data: [DONE]\n\n');
  });
  engine = started;
  const { port, memory } = await start(started.origin);

  // A reader warms the process up and shows that the whole stream comes through.
  let received = 0;
  const reader = request(port).on('data', (bytes) => (received += bytes.length));
  await eventually(() => expect(received).toBeGreaterThan(STREAM_BYTES));
  reader.destroy();
  const stall = async (): Promise<Socket> => {
    offered = 0;
    const stalled = request(port).pause();
    // The kernel's buffers on both hops take some megabytes, then nothing moves any more.
    let [last, still] = [-1, 0];
    await eventually(
      () => {
        still = offered === last && offered > 0 ? still + 1 : 0;
        last = offered;
        // Once alone may be a process that gets no processor.
        expect(still).toBe(3);
      },
      15_000,
      500,
    );
    return stalled;
  };
  // A first one that stalls does the rest: what the process has of the system grows by whole megabytes, and stays.
  (await stall()).destroy();
  const before = await memory();

  await stall();
  expect(offered).toBeLessThan(STREAM_BYTES - MEGABYTE);
  const after = await memory();
  expect(grown(before, after)).toBeLessThan(MEGABYTE);
  expect(after.rss - before.rss).toBeLessThan(MEGABYTE);
}, 60_000);

test('an upload of 200 MB costs the gateway a few buffers, also while the batch process does not read', async () => {
  const uploads: IncomingMessage[] = [];
  let stored = 0;
  const started = createServer((upload, response) => {
    uploads.push(upload);
    upload.on('end', () => response.end('{}'));
  });
  store = started;
  await once(started.listen(0, '127.0.0.1'), 'listening');
  const { port, memory } = await start(`http://127.0.0.1:${(started.address() as AddressInfo).port}`);
  const count = (upload: IncomingMessage | undefined): void => {
    upload?.on('data', (bytes: Buffer) => (stored += bytes.length));
  };

  // A first one warms the process up.
  const first = upload(port, MEGABYTE);
  await eventually(() => expect(uploads).toHaveLength(1));
  count(uploads[0]);
  await first.answered;
  const before = await memory();

  const second = upload(port, UPLOAD_BYTES);
  let last = -1;
  await eventually(
    () => {
      const moved = second.sent() !== last;
      last = second.sent();
      expect(moved).toBe(false);
      expect(uploads).toHaveLength(2);
    },
    15_000,
    500,
  );
  // The kernel's buffers on both hops take some megabytes.
  expect(second.sent()).toBeLessThan(UPLOAD_BYTES / 4);
  expect(grown(before, await memory())).toBeLessThan(2 * MEGABYTE);

  stored = 0;
  count(uploads[1]);
  await eventually(() => expect(stored).toBeGreaterThan(UPLOAD_BYTES / 2), 30_000);
  // When what flows is collected is the engine's affair; what was kept would be half of the upload by now.
  expect(grown(before, await memory())).toBeLessThan(UPLOAD_BYTES / 4);
  expect(await second.answered).toContain('200 OK');
  expect(stored).toBe(UPLOAD_BYTES);
  await eventually(async () => expect(grown(before, await memory())).toBeLessThan(2 * MEGABYTE));
}, 60_000);

function grown(before: Memory, after: Memory): number {
  return after.external - before.external + (after.heapUsed - before.heapUsed);
}

/** Sends a body of that many bytes as fast as it is taken. */
function upload(port: number, bytes: number): { answered: Promise<string>; sent: () => number } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const chunk = Buffer.alloc(MEGABYTE, 'x');
  socket.write(
    `POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${FILES_KEY}\r\n` +
      `content-type: multipart/form-data; boundary=x\r\ncontent-length: ${bytes}\r\n\r\n`,
  );
  let sent = 0;
  const send = async (): Promise<void> => {
    for (; sent < bytes; sent += chunk.length) if (!socket.write(chunk)) await once(socket, 'drain');
  };
  const answered = Promise.all([once(socket, 'data'), send()]).then(([[data]]) => String(data));
  return { answered, sent: () => sent };
}
