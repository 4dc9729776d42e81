/** POST, GET and DELETE /session: signing in to the page by API key, and out. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseKey } from '../auth/key.ts';
import {
  invalidApiKey,
  malformedJson,
  missingScope,
  notFromPage,
  sessionUnknownYet,
  tooManySignIns,
} from '../errors.ts';
import { isFromPage } from '../session/cookie.ts';
import { SignInLimit } from '../session/sign-in-limit.ts';
import type { Sessions } from '../session/sessions.ts';
import type { Authenticator } from '../types.ts';
import type { Hook } from './context.ts';

const PATH = '/session';
/** A key has less than 200 characters. */
const MAX_BODY_BYTES = 4_096;

/** Adds the routes; they are the page's alone, and have no base. */
export function addSessionRoutes(
  app: FastifyInstance,
  { authenticator, sessions }: { authenticator: Authenticator; sessions: Sessions },
): void {
  const limit = new SignInLimit();
  const onRequest = onlyFromPage;
  app.post(PATH, { onRequest, bodyLimit: MAX_BODY_BYTES }, (request, reply) => {
    const text = keyIn(request);
    const now = new Date();
    const key = authenticator.authenticate(`Bearer ${text}`, now);
    request.context.key = key;
    if (key === undefined) {
      const attempt = `${parseKey(text)?.keyId ?? ''} ${request.socket.remoteAddress ?? ''}`;
      const nowMs = performance.now();
      if (!limit.allows(attempt, nowMs)) throw tooManySignIns();
      limit.failed(attempt, nowMs);
      throw invalidApiKey(true);
    }
    if (!key.scopes.has('view')) throw missingScope('view');
    const cookie = sessions.begin(key, request.headers, now);
    if (cookie === undefined) throw invalidApiKey(true);
    return reply.code(204).header('set-cookie', cookie).header('cache-control', 'no-store').send();
  });
  app.get(PATH, { onRequest }, (request, reply) => {
    const session = sessions.stateOf(request.headers, new Date());
    if (session === 'known soon') throw sessionUnknownYet();
    // Without an operator that leads it may never be known, and people must get to where they sign in.
    const key = session === 'known later' ? undefined : session?.key;
    request.context.key = key;
    if (key === undefined) throw invalidApiKey(request.headers.cookie !== undefined);
    const { namespace, name, scopes } = key;
    return reply.header('cache-control', 'no-store').send({ namespace, name, scopes: [...scopes] });
  });
  app.delete(PATH, { onRequest }, (request, reply) =>
    reply.code(204).header('set-cookie', sessions.end(request.headers)).send(),
  );
}

const onlyFromPage: Hook = (request, _, done) => {
  request.context.route = 'session';
  done(isFromPage(request.headers) ? undefined : notFromPage());
};

function keyIn({ body }: FastifyRequest): string {
  try {
    const { key } = JSON.parse((body as Buffer).toString('utf8')) as { key?: unknown };
    if (typeof key === 'string') return key;
  } catch {
    // Said below.
  }
  throw malformedJson();
}
