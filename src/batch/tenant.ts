/** On whose behalf a gateway asks. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { malformedRequest, type GatewayError } from '../gateway/errors.ts';

/** The key that a gateway has checked. */
export interface Tenant {
  readonly namespace: string;
  /** Name of the APIKey. */
  readonly key: string;
  /** Whether it is shown what things cost. */
  readonly isAdmin: boolean;
  /** Whether it is shown no other key's usage. */
  readonly seesOwnUsage: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    tenant: Tenant;
  }
}

/** They become parts of keys of the store and of paths of the Kubernetes API. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const KEY = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_KEY = 63;

/** What gateways ask for themselves. */
const INTERNAL = '/internal/';

/** Gives every request on behalf of a key its tenant. The headers are taken at their word: whoever is connected is a gateway. */
export function identify(app: FastifyInstance): void {
  app.decorateRequest('tenant');
  app.addHook('onRequest', (request: FastifyRequest, _: FastifyReply, done: (error?: GatewayError) => void) => {
    if (request.routeOptions.url?.startsWith(INTERNAL) === true) return done();
    const { 'x-infer-namespace': namespace, 'x-infer-key': key } = request.headers;
    if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) return done(missing('x-infer-namespace'));
    if (typeof key !== 'string' || key.length > MAX_KEY || !KEY.test(key)) return done(missing('x-infer-key'));
    const { 'x-infer-admin': admin, 'x-infer-own-usage': ownUsage } = request.headers;
    request.tenant = { namespace, key, isAdmin: admin === 'true', seesOwnUsage: ownUsage === 'true' };
    done();
  });
}

function missing(header: string): GatewayError {
  return malformedRequest(`The header ${header} is missing or wrong; requests must come through a gateway.`);
}
