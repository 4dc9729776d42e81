/** GET /models and GET /models/{id}. */
import type { FastifyInstance } from 'fastify';
import { modelNotFound } from '../errors.ts';
import type { Authenticator, Registry, ServedModel } from '../types.ts';
import { authorize, BASES, keyOf } from './context.ts';

/** Adds the routes under every base. */
export function addModelRoutes(
  app: FastifyInstance,
  parts: { registry: Registry; authenticator: Authenticator },
): void {
  const { registry, authenticator } = parts;
  const onRequest = authorize(authenticator, 'models', ['inference', 'view']);
  for (const base of BASES) {
    app.get(`${base}/models`, { onRequest }, (request) => ({
      object: 'list',
      data: registry.list(keyOf(request)).map(modelObject),
    }));
    // A name of another namespace has a slash.
    app.get(`${base}/models/*`, { onRequest }, (request) => {
      const { '*': id } = request.params as { '*': string };
      const model = registry.resolve(keyOf(request), id);
      request.context.deployment = model?.deployment;
      if (model === undefined) throw modelNotFound(id);
      return modelObject(model);
    });
  }
}

/** OpenAI's model object, and of an adapter `parent` as vLLM has it. */
function modelObject({ id, deployment: { created, namespace }, parent }: ServedModel) {
  return { id, object: 'model', created, owned_by: namespace, ...(parent !== undefined && { parent }) };
}
