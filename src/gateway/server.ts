/** The gateway's HTTP servers: the public one, and the one for the batch process. */
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { ChannelEnd } from '../channel/handshake.ts';
import { ChannelHttpServer } from '../channel/http-server.ts';
import { createApp } from './app.ts';
import type { KeysByName } from './auth/on-behalf.ts';
import { Connections } from './connections.ts';
import { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
import type { LoadTracker } from './load/tracker.ts';
import type { Meter } from './metering/meter.ts';
import type { GatewayMetrics } from './metrics.ts';
import { BatchProcess, type BatchUpstream } from './proxy/batch-process.ts';
import { Forwarder } from './proxy/forwarder.ts';
import { addCatalogRoutes, type Catalogue } from './routes/catalog.ts';
import { addDeploymentRoutes } from './routes/deployments.ts';
import { addFileAndBatchRoutes } from './routes/files-and-batches.ts';
import { addBatchInferenceRoutes, addInferenceRoutes } from './routes/inference.ts';
import { addInternalRoutes, onBehalf } from './routes/internal.ts';
import { addModelRoutes } from './routes/models.ts';
import { observe } from './routes/observe.ts';
import { addUsageRoute } from './routes/usage.ts';
import { addPageRoutes, type Page } from './routes/page.ts';
import { addSessionRoutes } from './routes/session.ts';
import type { Sessions } from './session/sessions.ts';
import type { Authenticator, Registry, ReplicaPicker } from './types.ts';
import { DeploymentEvents } from './view/deployment-events.ts';
import type { LiveFeed } from './view/live-feed.ts';
import type { ViewCaches } from './view/visible.ts';

/** For error events to leave when the grace period is over. */
const LAST_WORDS_MS = 500;

export interface GatewayOptions {
  readonly registry: Registry;
  readonly authenticator: Authenticator;
  readonly pick: ReplicaPicker;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly load: LoadTracker;
  readonly meter: Meter;
  /** The batch process; without one, files and batches are refused. */
  readonly batch?: BatchUpstream;
  /** Who may use the internal port, and the keys on whose behalf that may be; without it there is no such port. */
  readonly internal?: { readonly end: ChannelEnd; readonly keys: KeysByName };
  /** Without it GET /catalog is empty. */
  readonly catalogue?: Catalogue;
  /** What shows deployments; the caches are not started yet. Without it they are not shown. */
  readonly view?: { readonly caches: ViewCaches; readonly live: LiveFeed };
  /** Without it nobody can sign in to the page. */
  readonly sessions?: Sessions;
  /** The web page; without it `/` is not found. */
  readonly page?: Page;
  /** What differs from DEFAULT_LIMITS. */
  readonly limits?: Partial<GatewayLimits>;
}

export interface Gateway {
  /** Listens on all addresses; returns the port, for 0 the one chosen. Rejects where it is taken. */
  listen(port: number): Promise<number>;
  /** Listens for the batch process; returns the port. Rejects where it is taken, or there is to be none. */
  listenInternal(port: number, host?: string): Promise<number>;
  /** From now on each answer is the last on its connection: clients come back by a new one, to another gateway. */
  leave(): void;
  /**
   * Accepts no more connections, lets requests end for that long, then ends them: streams with an error event, those of
   * batches so that they are sent again.
   */
  close(graceMs: number): Promise<void>;
}

/** Returns a gateway that is not listening yet. */
export function createGateway(options: GatewayOptions): Gateway {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { load, logger, meter, metrics, pick, sessions, view } = options;
  const authenticator: Authenticator = {
    ...options.authenticator,
    ...(sessions && { bySession: (headers, now) => sessions.stateOf(headers, now) }),
  };
  const forwarder = new Forwarder({ pick, limits, metrics, load, meter, logger });
  const onError = (error: unknown): void => logger.error({ err: error }, 'request failed by a defect');
  const slow = new WeakSet<Socket>();
  const app = createApp({ limits, onError, slow });
  observe(app, metrics, logger, 'online');
  addModelRoutes(app, { ...options, authenticator });
  addCatalogRoutes(app, { ...options, authenticator });
  addInferenceRoutes(app, { ...options, authenticator, forwarder, limits, onError });
  if (options.page) addPageRoutes(app, options.page);
  const batchProcess = options.batch && new BatchProcess(options.batch, limits, logger);
  addFileAndBatchRoutes(app, { authenticator, batchProcess, limits, slow });
  addUsageRoute(app, { authenticator, batchProcess, limits, apiKeys: view?.caches.apiKeys });
  const events = view && new DeploymentEvents({ ...view, heartbeatMs: limits.viewHeartbeatMs });
  if (view && events) addDeploymentRoutes(app, { ...view, authenticator, events, limits });
  if (sessions) addSessionRoutes(app, { authenticator, sessions });
  const connections = new Connections(app.server);
  const internal = options.internal && createInternal(options.internal, { ...options, forwarder, limits, onError });
  let leaving = false;
  app.addHook('onRequest', (_, reply, done) => {
    // On connections that are still open; they end with this answer.
    if (leaving) reply.raw.setHeader('connection', 'close');
    done();
  });
  return {
    async listen(port) {
      await app.ready();
      await new Promise<void>((resolve, reject) => {
        app.server.once('error', reject);
        app.server.listen(port, resolve);
      });
      return (app.server.address() as AddressInfo).port;
    },
    async listenInternal(port, host) {
      if (internal === undefined) throw new Error('The gateway has no end for the batch process.');
      await internal.app.ready();
      return await internal.port.listen(port, host);
    },
    leave() {
      leaving = true;
      // They come back by another gateway; here they would last until the end of the grace period.
      events?.close();
    },
    async close(graceMs) {
      leaving = true;
      events?.close();
      const cut = (): void => {
        forwarder.cutAll();
        batchProcess?.cutAll();
      };
      await closeConnections(internal ? [connections, internal.port] : [connections], graceMs, cut);
      await forwarder.close();
      await batchProcess?.close();
      await internal?.app.close();
      await app.close();
    },
  };
}

type Parts = Omit<GatewayOptions, 'limits'> & {
  forwarder: Forwarder;
  limits: GatewayLimits;
  onError: (error: unknown) => void;
};

/** Returns the server for the batch process. It shares the forwarder: a replica has one count of what it works on. */
function createInternal(
  { end, keys }: NonNullable<GatewayOptions['internal']>,
  parts: Parts,
): { app: FastifyInstance; port: ChannelHttpServer } {
  const { limits, logger, metrics, onError } = parts;
  const app = createApp({ limits, onError });
  observe(app, metrics, logger, 'batch');
  addInternalRoutes(app, { ...parts, keys });
  addBatchInferenceRoutes(app, { ...parts, authorized: ({ name }) => onBehalf(keys, name) });
  return { app, port: new ChannelHttpServer({ http: app.server, end, logger }) };
}

interface Closing {
  close(): Promise<void>;
  destroy(): void;
}

async function closeConnections(ports: readonly Closing[], graceMs: number, cut: () => void): Promise<void> {
  const over = new AbortController();
  const closed = Promise.all(ports.map(async (port) => await port.close())).finally(() => over.abort());
  const late = (ms: number): Promise<boolean> => delay(ms, true, { signal: over.signal }).catch(() => false);
  if (!(await late(graceMs))) return;
  cut();
  if (await late(LAST_WORDS_MS)) for (const port of ports) port.destroy();
  await closed;
}
