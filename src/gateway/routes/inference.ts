/** POST /chat/completions, /completions and /embeddings. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyBudget } from '../checks/body-budget.ts';
import { modelOf, parseBody } from '../checks/body.ts';
import { estimateTokens } from '../checks/estimate.ts';
import { checkFields } from '../checks/fields.ts';
import { deploymentSuspended, gatewayFull, GatewayError, internalError, modelNotFound } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { forceUsage } from '../metering/stream-options.ts';
import { ClientResponse } from '../proxy/client-response.ts';
import type { Forwarder, ForwardRequest } from '../proxy/forwarder.ts';
import { withModel } from '../proxy/model-name.ts';
import type { Authenticator, Registry } from '../types.ts';
import { authorize, BASES, keyOf, type Hook } from './context.ts';

interface Route {
  /** Behind a base of ours and behind the engine's `/v1`. */
  readonly path: string;
  /** Label of metrics. */
  readonly name: string;
  readonly generates: boolean;
}

const ROUTES: readonly Route[] = [
  { path: '/chat/completions', name: 'chat_completions', generates: true },
  { path: '/completions', name: 'completions', generates: true },
  { path: '/embeddings', name: 'embeddings', generates: false },
];

interface Parts {
  readonly registry: Registry;
  readonly forwarder: Forwarder;
  readonly limits: GatewayLimits;
  readonly onError: (error: unknown) => void;
}

/** Adds the routes for clients under every base. */
export function addInferenceRoutes(app: FastifyInstance, parts: Parts & { authenticator: Authenticator }): void {
  const authorized = (route: Route): Hook => authorize(parts.authenticator, route.name, ['inference']);
  addRoutes(app, { ...parts, authorized, bases: BASES, batch: false, bodies: parts.limits.totalBodyBytes });
}

/** Adds the routes for requests of batches, of whoever `authorized` lets pass. */
export function addBatchInferenceRoutes(app: FastifyInstance, parts: Parts & Pick<RouteParts, 'authorized'>): void {
  addRoutes(app, { ...parts, bases: ['/v1'], batch: true, bodies: parts.limits.batchBodyBytes });
}

interface RouteParts extends Parts {
  /** Returns the hook that tells whose request it is. */
  readonly authorized: (route: Route) => Hook;
  readonly bases: readonly string[];
  readonly batch: boolean;
  /** Most bytes of all bodies. */
  readonly bodies: number;
}

function addRoutes(app: FastifyInstance, parts: RouteParts): void {
  const bodies = new BodyBudget(parts.bodies);
  const reserve = reserveBody(bodies, parts.limits);
  for (const route of ROUTES) {
    const onRequest = [parts.authorized(route), reserve];
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const bytes = request.body as Buffer | undefined;
      const checked = check(request, bytes, route, parts);
      // From here on the answer is written by ClientResponse alone.
      reply.hijack();
      const client = new ClientResponse(reply.raw, {
        requestId: request.id,
        stream: checked.stream,
        stallMs: parts.limits.clientStallMs,
      });
      try {
        await parts.forwarder.forward(checked, client);
      } catch (error) {
        if (!(error instanceof GatewayError)) parts.onError(error);
        client.sendError(error instanceof GatewayError ? error : internalError(error));
      }
    };
    for (const base of parts.bases) app.post(`${base}${route.path}`, { onRequest }, handler);
  }
}

/** Returns the hook that takes room for a body before any of it is read, until its answer has ended. */
function reserveBody(bodies: BodyBudget, { bodyBytes }: GatewayLimits): Hook {
  return (request, reply, done) => {
    const declared = Number(request.headers['content-length'] ?? bodyBytes);
    // One that is too big, or no length at all, is refused before it is read.
    const bytes = declared >= 0 && declared <= bodyBytes ? declared : 0;
    const { namespace, name } = keyOf(request);
    const giveBack = bodies.take(`${namespace}/${name}`, bytes);
    if (giveBack === undefined) return done(gatewayFull());
    reply.raw.once('close', giveBack);
    done();
  };
}

function check(request: FastifyRequest, bytes: Buffer | undefined, route: Route, parts: RouteParts): ForwardRequest {
  const body = parseBody(bytes);
  const clientModel = modelOf(body);
  const model = parts.registry.resolve(keyOf(request), clientModel);
  request.context.deployment = model?.deployment;
  if (model === undefined) throw modelNotFound(clientModel);
  const { deployment, engineModel } = model;
  if (deployment.suspended) throw deploymentSuspended(clientModel);
  checkFields(body, parts.limits);
  const raw = bytes ?? Buffer.alloc(0);
  const named = clientModel === engineModel ? raw : withModel(raw, engineModel);
  const stream = route.generates && body['stream'] === true;
  const forced = stream ? forceUsage(named, body) : { bytes: named, shown: 'none' as const };
  return {
    deployment,
    key: keyOf(request),
    path: `/v1${route.path}`,
    body: forced.bytes,
    stream,
    shownUsage: forced.shown,
    choicesPerPrompt: typeof body['n'] === 'number' ? body['n'] : 1,
    requestId: request.id,
    engineModel,
    clientModel,
    estimatedTokens: estimateTokens(body, raw.length, route.generates),
    batch: parts.batch,
  };
}
