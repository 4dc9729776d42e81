import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { once } from 'node:events';

/** Below Kubernetes' NodePorts, and below what Linux gives to those who ask for any port. */
const [FIRST, END] = [15_000, 30_000];
const ATTEMPTS = 100;

/**
 * Returns `count` different TCP ports that nobody uses on `address` at this moment. Nobody is given them who asks for any port:
 * until they are bound only another call of this may take them. Throws the last error where none of many is free.
 */
export async function freePorts(count: number, address: string): Promise<number[]> {
  const servers: Server[] = [];
  try {
    // All stay open until all are known, so that no port is given twice.
    for (let index = 0; index < count; index++) {
      servers.push(await listenAnywhere(address));
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  }
}

async function listenAnywhere(address: string): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const server = createServer().listen(randomInt(FIRST, END), address);
    try {
      await once(server, 'listening');
      return server;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
