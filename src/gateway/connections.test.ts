import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Connections } from './connections.ts';

const BODY = Buffer.alloc(32 * 1024 * 1024, 'x');

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function start(): Promise<{ connections: Connections; client: () => Socket }> {
  const started = createServer((_, response) => void response.end(BODY));
  server = started;
  const connections = new Connections(started);
  await once(started.listen(0, '127.0.0.1'), 'listening');
  const { port } = started.address() as AddressInfo;
  return { connections, client: () => connect(port, '127.0.0.1') };
}

test('an answer that a slow reader has not taken yet is not cut', async () => {
  const { connections, client } = await start();
  const socket = client();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  const closing = connections.close();
  let received = 0;
  socket.on('data', (data) => (received += data.length));
  await Promise.all([once(socket, 'end'), closing]);
  expect(received).toBeGreaterThan(BODY.length);
});

test('an idle connection is closed at once, and no new one is accepted', async () => {
  const { connections, client } = await start();
  const idle = client();
  await once(idle, 'connect');
  idle.resume();
  const ended = once(idle, 'end');
  await Promise.all([ended, connections.close()]);
  await expect(once(client(), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('what never ends is cut by destroy', async () => {
  const { connections, client } = await start();
  const socket = client();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  const closing = connections.close();
  connections.destroy();
  await closing;
  expect(server?.listening).toBe(false);
  socket.destroy();
});
