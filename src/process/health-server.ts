/** The HTTP server of a process for Kubernetes and Prometheus: health, readiness and metrics. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz` (200 while the event loop turns), `/readyz` (200 while nothing is `missing`, else 503 that names it)
 * and `/metrics` on all addresses. Throws when the port is taken.
 */
export async function serveHealth(port: number, registry: Registry, missing: () => string[]): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const respond = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    switch (request.url ?? '') {
      case '/healthz':
        return respond(200, 'ok\n');
      case '/readyz':
        return missing().length === 0 ? respond(200, 'ok\n') : respond(503, `not ready: ${missing().join(', ')}\n`);
      case '/metrics':
        registry.metrics().then(
          (text) => respond(200, text, registry.contentType),
          () => respond(500, 'metrics failed\n'),
        );
        return;
      default:
        return respond(404, 'not found\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
