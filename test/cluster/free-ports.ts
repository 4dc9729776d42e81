import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { once } from 'node:events';

/** Returns `count` different TCP ports that nobody uses on `address` at this moment. */
export async function freePorts(count: number, address: string): Promise<number[]> {
  const servers: Server[] = [];
  try {
    // All stay open until all are known, so that no port is given twice.
    for (let index = 0; index < count; index++) {
      const server = createServer().listen(0, address);
      servers.push(server);
      await once(server, 'listening');
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  }
}
