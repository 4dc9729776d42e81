import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { createApp } from './app.ts';

let app: FastifyInstance | undefined;

afterEach(async () => {
  app?.server.closeAllConnections();
  await app?.close();
});

test.each([
  ['is refused', false],
  ['is left alone where its handler keeps time', true],
])('a request that takes too long to come in %s', async (_, slow) => {
  app = createApp({ limits: { bodyBytes: 10 }, onError: () => undefined, slow: { has: () => slow } });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const accepted = once(app.server, 'connection');
  const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await accepted) as [Socket];
  // What Node does some time after requestTimeout.
  app.server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
  client.write('GET /none HTTP/1.1\r\nhost: x\r\n\r\n');
  const [answer] = (await once(client, 'data')) as [Buffer];
  expect(String(answer)).toContain(slow ? 'HTTP/1.1 404' : 'HTTP/1.1 400');
  client.destroy();
});
