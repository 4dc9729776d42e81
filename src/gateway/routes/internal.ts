/** What the batch process asks of a gateway, besides requests of batches. Who is at the other end is known already. */
import type { FastifyInstance } from 'fastify';
import type { KeysByName } from '../auth/on-behalf.ts';
import { invalidApiKey, modelNotFound, unknownDeployment } from '../errors.ts';
import type { LoadTracker } from '../load/tracker.ts';
import type { Registry, Replica } from '../types.ts';
import { keyOf, type Hook } from './context.ts';

/** Older than this what an engine said is nothing to go by. */
const ENGINE_TOLD_MS = 15_000;

interface Parts {
  readonly registry: Registry;
  readonly keys: KeysByName;
  readonly load: LoadTracker;
}

/** Returns the hook that looks up on whose behalf a request is. */
export function onBehalf(keys: KeysByName, route: string): Hook {
  return (request, _, done) => {
    request.context.route = route;
    const { 'x-infer-namespace': namespace, 'x-infer-key': name } = request.headers;
    const named = typeof namespace === 'string' && typeof name === 'string';
    const key = named ? keys.find(namespace, name, new Date()) : undefined;
    request.context.key = key;
    done(key === undefined ? invalidApiKey(named) : undefined);
  };
}

/** Adds `GET /internal/models/*` and `GET /internal/load/:namespace/:name`. */
export function addInternalRoutes(app: FastifyInstance, { registry, keys, load }: Parts): void {
  // A name of another namespace has a slash.
  app.get('/internal/models/*', { onRequest: onBehalf(keys, 'internal_models') }, (request) => {
    const { '*': id } = request.params as { '*': string };
    const model = registry.resolve(keyOf(request), id);
    if (model === undefined) throw modelNotFound(id);
    const { namespace, name } = model.deployment;
    return { namespace, name };
  });
  app.get('/internal/load/:namespace/:name', (request) => {
    request.context.route = 'internal_load';
    const { namespace, name } = request.params as { namespace: string; name: string };
    const deployment = registry.find(namespace, name);
    if (deployment === undefined) throw unknownDeployment(namespace, name);
    const now = performance.now();
    return {
      replicas: deployment.replicas().map((replica) => replicaLoad(replica, now)),
      ...load.standing(deployment),
    };
  });
}

function replicaLoad({ podUid, serving, inFlight, batchInFlight, engine }: Replica, now: number) {
  const told = engine !== undefined && now - engine.at <= ENGINE_TOLD_MS ? engine : undefined;
  return {
    podUid,
    serving,
    onlineInFlight: inFlight - batchInFlight,
    batchInFlight,
    // An engine that nobody has asked lately has had no requests of this gateway.
    waiting: told?.waiting ?? 0,
    kvCacheUsage: told?.kvCacheUsage ?? 0,
  };
}
