import type { AddressInfo, Server } from 'node:net';

/** Listens on a free port of 127.0.0.1 and tells it to the process that started this one. */
export function announce(server: Server): void {
  server.listen(0, '127.0.0.1', () => announcePort((server.address() as AddressInfo).port));
}

/** Tells the port to the process that started this one, and ends with that. */
export function announcePort(port: number): void {
  process.on('disconnect', () => process.exit(0));
  process.send?.({ port });
}
