/** GET /models and GET /models/{id}. */
import type { FastifyInstance } from 'fastify';
import { modelNotFound } from '../errors.ts';
import type { AuthenticatedKey, Authenticator, Deployment, Registry } from '../types.ts';
import { authorize, BASES, keyOf } from './context.ts';

/** Adds the routes under every base. */
export function addModelRoutes(
  app: FastifyInstance,
  parts: { registry: Registry; authenticator: Authenticator },
): void {
  const { registry, authenticator } = parts;
  const onRequest = authorize(authenticator, 'models', ['inference', 'view']);
  for (const base of BASES) {
    app.get(`${base}/models`, { onRequest }, (request) => {
      const key = keyOf(request);
      return { object: 'list', data: registry.list(key).map((deployment) => modelObject(key, deployment)) };
    });
    // A name of another namespace has a slash.
    app.get(`${base}/models/*`, { onRequest }, (request) => {
      const { '*': id } = request.params as { '*': string };
      const key = keyOf(request);
      const deployment = registry.resolve(key, id);
      request.context.deployment = deployment;
      if (deployment === undefined) throw modelNotFound(id);
      return { ...modelObject(key, deployment), id };
    });
  }
}

/** OpenAI's model object; the id is what the key's requests may name. */
function modelObject(key: AuthenticatedKey, { namespace, name, created }: Deployment) {
  const id = namespace === key.namespace ? name : `${namespace}/${name}`;
  return { id, object: 'model', created, owned_by: namespace };
}
