import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { BatchApiMetrics } from './metrics.ts';

/** nginx's status for a client that left before it was answered. */
const CLIENT_LEFT = 499;

/** Answers with `x-request-id`, counts each request when it is over, and logs it at level debug: never its body. */
export function observe(app: FastifyInstance, metrics: BatchApiMetrics, logger: Logger): void {
  app.addHook('onRequest', (request, reply, done) => {
    const started = performance.now();
    const { raw: response } = reply;
    void reply.header('x-request-id', request.id);
    response.once('close', () => {
      const seconds = (performance.now() - started) / 1000;
      const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
      const route = request.routeOptions.url ?? 'other';
      const method = route === 'other' ? 'other' : request.method;
      metrics.finished({ method, route, status, seconds });
      logger.debug({ requestId: request.id, method, route, status, seconds, ...request.tenant }, 'request');
    });
    done();
  });
}
