import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Slots } from '../../process/slots.ts';
import {
  gatewayFull,
  invalidApiKey,
  missingScope,
  sessionUnknownYet,
  tooManyAtOnce,
  type GatewayError,
} from '../errors.ts';
import type { AuthenticatedKey, Authenticator, Deployment, Scope } from '../types.ts';

/** What is known of a request besides its bytes; the access log and the metrics read it at the end. */
export interface RequestContext {
  /** Bounded: a label of metrics. */
  route: string;
  key: AuthenticatedKey | undefined;
  /** When the session ends that it came by, in Unix milliseconds; absent where it came by its key. */
  sessionEndsAtMs?: number;
  deployment: Deployment | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    context: RequestContext;
  }
}

/** The three addresses of the one API. */
export const BASES = ['/v1', '/api/v2/external/v1', '/api/v2/external'] as const;

/** What runs before any of a body is read; it refuses with an error. */
export type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: GatewayError) => void) => void;

/**
 * Returns the hook that lets only keys with one of these scopes pass, before any of the body is read. Whose request it is
 * an Authorization header says; without one, the session of the page, whose answers no proxy may keep for others.
 */
export function authorize(authenticator: Authenticator, route: string, scopes: readonly [Scope, ...Scope[]]): Hook {
  return (request, reply, done) => {
    request.context.route = route;
    const { authorization } = request.headers;
    const now = new Date();
    let key: AuthenticatedKey | undefined;
    if (authorization === undefined) {
      const session = authenticator.bySession?.(request.headers, now);
      if (typeof session === 'string') return done(sessionUnknownYet());
      if (session !== undefined) {
        // Caches keep answers to an Authorization header apart by themselves (RFC 9111, 3.5), to a cookie not.
        reply.raw.setHeader('cache-control', 'no-store');
        key = session.key;
        request.context.sessionEndsAtMs = session.endsAtMs;
      }
    } else {
      key = authenticator.authenticate(authorization, now);
    }
    request.context.key = key;
    if (key === undefined) done(invalidApiKey(authorization !== undefined));
    else if (scopes.some((scope) => key.scopes.has(scope))) done();
    else done(missingScope(scopes[0]));
  };
}

/** Returns the key that authorize() let pass. */
export function keyOf(request: FastifyRequest): AuthenticatedKey {
  const { key } = request.context;
  if (key === undefined) throw invalidApiKey(false);
  return key;
}

/** Returns the hook that takes one of the `slots` of the key until the request is over; `what` is those in the plural. */
export function takeSlot(slots: Slots, what: string, most: number): Hook {
  return (request, reply, done) => {
    const { namespace, name } = keyOf(request);
    const taken = slots.take(`${namespace}/${name}`);
    if (taken === 'ofOne') return done(tooManyAtOnce(what, most));
    if (taken === 'all') return done(gatewayFull());
    reply.raw.once('close', taken);
    done();
  };
}
