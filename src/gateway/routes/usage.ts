/** GET /usage: who asks is checked here, and the batch process, which keeps what was used, answers. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { APIKey } from '../../api/generated/api-key.ts';
import type { Informer } from '../../kube/informer.ts';
import { Slots } from '../../process/slots.ts';
import { usageNotKept } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { BatchProcess } from '../proxy/batch-process.ts';
import type { AuthenticatedKey, Authenticator } from '../types.ts';
import { authorize, BASES, keyOf, takeSlot } from './context.ts';

interface Parts {
  readonly authenticator: Authenticator;
  /** Undefined where this installation has none. */
  readonly batchProcess: BatchProcess | undefined;
  readonly limits: GatewayLimits;
  /** Tells which deployments a key is restricted to; without it every key is taken for one that is. */
  readonly apiKeys: Pick<Informer<APIKey>, 'get'> | undefined;
}

/** Adds the route under every base. */
export function addUsageRoute(app: FastifyInstance, { apiKeys, authenticator, batchProcess, limits }: Parts): void {
  const { transfersOfKey: ofOne, transfers: all } = limits;
  const onRequest = [
    authorize(authenticator, 'usage', ['view']),
    takeSlot(new Slots({ ofOne, all }), 'requests for usage', ofOne),
  ];
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (batchProcess === undefined) throw usageNotKept();
    const { raw } = request;
    const query = raw.url?.indexOf('?') ?? -1;
    const path = `/v1/usage${query === -1 ? '' : (raw.url ?? '').slice(query)}`;
    const key = keyOf(request);
    const target = {
      method: 'GET',
      path,
      requestId: request.id,
      key,
      ofKey: shownTo(key, apiKeys),
      bodyBytes: 0,
    } as const;
    try {
      await batchProcess.forward(target, raw, reply.raw, () => void reply.hijack());
    } catch (error) {
      // Of a client that has gone nothing is answered.
      if (!reply.raw.destroyed) throw error;
      reply.hijack();
    }
  };
  for (const base of BASES) app.get(`${base}/usage`, { onRequest }, handler);
}

/**
 * What a deployment costs is shown to admins; a key that is restricted to some deployments, or whose resource is not known
 * (any more), is shown its own usage alone.
 */
function shownTo(key: AuthenticatedKey, apiKeys: Parts['apiKeys']): Record<`x-infer-${string}`, string> {
  const resource = apiKeys?.get(key);
  const isRestricted = resource === undefined || resource.spec.deployments !== undefined;
  return {
    ...(key.scopes.has('admin') && { 'x-infer-admin': 'true' }),
    ...(isRestricted && { 'x-infer-own-usage': 'true' }),
  };
}
