import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { GatewayMetrics, RequestClass } from '../metrics.ts';

/** nginx's status for a client that left before it was answered. */
const CLIENT_LEFT = 499;

/**
 * Gives every request its context and `x-request-id`, counts it when it is over, and logs it at level debug: never its
 * body, never more of the key than its id.
 */
export function observe(
  app: FastifyInstance,
  metrics: GatewayMetrics,
  logger: Logger,
  requestClass: RequestClass,
): void {
  app.decorateRequest('context');
  app.addHook('onRequest', (request, reply, done) => {
    const started = performance.now();
    const finish = metrics.begin(requestClass);
    const { raw: response } = reply;
    const context = { route: 'other', key: undefined, deployment: undefined };
    request.context = context;
    // ClientResponse sends it by itself.
    void reply.header('x-request-id', request.id);
    response.once('close', () => {
      const { route, key, deployment } = request.context;
      const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
      const seconds = (performance.now() - started) / 1000;
      finish({ route, status, seconds, deployment });
      if (!logger.isLevelEnabled('debug')) return;
      const target = { namespace: deployment?.namespace, deployment: deployment?.name };
      logger.debug({ requestId: request.id, route, status, seconds, keyId: key?.keyId, ...target }, 'request');
    });
    done();
  });
}
