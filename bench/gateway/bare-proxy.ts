/** A process that passes everything to ENGINE with Node's http server and undici, and does nothing else. */
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { announce } from './process-port.ts';

const pool = new Pool(process.env['ENGINE'] ?? '', { connections: 1024, pipelining: 1 });

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { method = 'GET', url: path = '/', headers } = request;
  const { host: _, connection: __, ...passed } = headers;
  pool
    .stream({ method, path, headers: passed, body: request }, ({ statusCode, headers: answered }) => {
      const { connection: ___, 'transfer-encoding': ____, 'keep-alive': _____, ...kept } = answered;
      return response.writeHead(statusCode, kept);
    })
    .catch(() => response.destroy());
});
announce(server);
