/** GET /deployments, GET /deployments/{id} and GET /deployments/events: the state of deployments, for programs and pages. */
import type { FastifyInstance } from 'fastify';
import { Slots } from '../../process/slots.ts';
import { modelNotFound } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { ClientResponse } from '../proxy/client-response.ts';
import type { AuthenticatedKey, Authenticator } from '../types.ts';
import { detailOf, summaryOf } from '../view/convert.ts';
import type { DeploymentEvents } from '../view/deployment-events.ts';
import type { LiveFeed } from '../view/live-feed.ts';
import { findVisible, viewerOf, visibleTo, type ViewCaches } from '../view/visible.ts';
import { authorize, BASES, keyOf, takeSlot } from './context.ts';

/** What the routes stand on. */
export interface View {
  readonly caches: ViewCaches;
  readonly live: LiveFeed;
  readonly events: DeploymentEvents;
}

interface Parts extends View {
  readonly authenticator: Authenticator;
  readonly limits: GatewayLimits;
}

/** Adds the routes under every base. */
export function addDeploymentRoutes(app: FastifyInstance, parts: Parts): void {
  const { authenticator, caches, events, limits, live } = parts;
  const onRequest = authorize(authenticator, 'deployments', ['view']);
  const slots = new Slots({ ofOne: limits.viewersOfKey, all: limits.viewers });
  const onStream = [
    authorize(authenticator, 'deployments_events', ['view']),
    takeSlot(slots, 'streams of deployment events', limits.viewersOfKey),
  ];
  const found = (key: AuthenticatedKey, id: string) => {
    const resource = findVisible(key, id, caches);
    if (resource === undefined) throw modelNotFound(id);
    return resource;
  };
  for (const base of BASES) {
    app.get(`${base}/deployments`, { onRequest }, async (request) => {
      const key = keyOf(request);
      await lookOnce(live, { namespace: key.namespace });
      const summaries = visibleTo(key, caches).map((resource) =>
        summaryOf(resource, viewerOf(key), live.live(resource.metadata.uid ?? '')),
      );
      return { object: 'list', data: summaries };
    });
    // A name of another namespace has a slash. One whose name is `events` is found as NAMESPACE/events.
    app.get(`${base}/deployments/*`, { onRequest }, async (request) => {
      const key = keyOf(request);
      const { '*': id } = request.params as { '*': string };
      const { uid = '' } = found(key, id).metadata;
      await lookOnce(live, { namespace: key.namespace, detail: uid });
      return detailOf(found(key, id), viewerOf(key), live.live(uid));
    });
    app.get(`${base}/deployments/events`, { onRequest: onStream }, async (request, reply) => {
      const key = keyOf(request);
      const { id } = request.query as { id?: string | string[] };
      const detail = id === undefined ? undefined : found(key, String(id));
      reply.hijack();
      const client = new ClientResponse(reply.raw, {
        requestId: request.id,
        stream: true,
        stallMs: limits.clientStallMs,
      });
      await events.follow(client, key, { detail, endsAtMs: request.context.sessionEndsAtMs });
    });
  }
}

/** Waits, shortly, until the live figures are known. */
async function lookOnce(live: LiveFeed, looks: Parameters<LiveFeed['look']>[0]): Promise<void> {
  const end = live.look(looks);
  await live.answered();
  end();
}
