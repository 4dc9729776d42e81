/** The HTTP server of Files, Batches and usage. Only gateways reach it, on connections that authenticate them. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { bodyTooLarge, GatewayError, malformedJson, malformedRequest, unknownUrl } from '../gateway/errors.ts';
import { ApiError, ConnectionError } from '../kube/errors.ts';
import { StoreFull, StoreUnavailable } from '../store/object-store.ts';
import { addBatchRoutes, type BatchRouteParts } from './batches/routes.ts';
import { internalError, kubernetesUnavailable, notJson, storeFull, storeUnavailable } from './errors.ts';
import { NamespaceUsage } from './files/namespace-usage.ts';
import { addFileRoutes, type FileRouteParts } from './files/routes.ts';
import { DEFAULT_LIMITS, type BatchLimits } from './limits.ts';
import type { BatchApiMetrics } from './metrics.ts';
import { observe } from './observe.ts';
import { Places } from './places.ts';
import { identify } from './tenant.ts';
import { addUsageRoutes, type UsageRouteParts } from './usage/routes.ts';
import { Turns } from './usage/turns.ts';

/** Longer than the gateways' pools keep an idle connection: they are to be the end that closes. */
const KEEP_ALIVE_MS = 75_000;
/** For the largest upload on a slow line; one that stalls ends by itself. */
const REQUEST_TIMEOUT_MS = 3_600_000;

export interface BatchApiOptions
  extends
    Omit<FileRouteParts, keyof BatchLimits | 'usage' | 'places'>,
    Omit<BatchRouteParts, keyof BatchLimits | 'places'>,
    Omit<UsageRouteParts, 'usage' | 'places' | 'turns'> {
  /** What keys used. */
  readonly usageRecords: UsageRouteParts['usage'];
  readonly replicaTime: UsageRouteParts['replicaTime'];
  readonly metrics: BatchApiMetrics;
  readonly logger: Logger;
  /** What differs from DEFAULT_LIMITS. */
  readonly limits?: Partial<BatchLimits>;
}

export interface BatchApi {
  /** Answers the requests; it does not listen. */
  readonly http: Server;
  /** From now on each answer is the last on its connection: gateways come back by a new one, to another process. */
  leave(): void;
  /** Rejects what comes from now on, with 503; what is under way goes on. */
  close(): Promise<void>;
}

/** Returns the server, which does not listen by itself. */
export async function createBatchApi(options: BatchApiOptions): Promise<BatchApi> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const app = createApp(limits, (error) => options.logger.error({ err: error }, 'request failed by a defect'));
  observe(app, options.metrics, options.logger);
  identify(app);
  const places = {
    uploads: new Places('uploads', limits.uploads),
    downloads: new Places('downloads', limits.downloads),
    usage: new Places('requests for usage', limits.usageAnswers, limits.answerMs),
    others: new Places('requests', limits.others, limits.answerMs),
  };
  addFileRoutes(app, { ...options, ...limits, places, usage: new NamespaceUsage(options.store) });
  addBatchRoutes(app, { ...options, ...limits, places });
  const turns = new Turns('requests for usage', limits.usage, limits.usageWaitMs);
  addUsageRoutes(app, { ...options, places, turns, usage: options.usageRecords });
  let leaving = false;
  app.addHook('onRequest', (_, { raw: response }, done) => {
    if (leaving) response.setHeader('connection', 'close');
    done();
  });
  await app.ready();
  return { http: app.server, leave: () => void (leaving = true), close: async () => await app.close() };
}

function createApp(limits: BatchLimits, onDefect: (error: unknown) => void): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    exposeHeadRoutes: false,
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (_, request, reply) => sendError(reply, unknownUrl(request.method, request.url)),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => {
    try {
      // OpenAI's clients name the type where they send nothing, too.
      done(null, body === '' ? undefined : JSON.parse(body as string));
    } catch {
      done(malformedJson());
    }
  });
  app.setNotFoundHandler((request, reply) => sendError(reply, unknownUrl(request.method, request.url)));
  app.setErrorHandler((error, request, reply) => {
    // Whoever is gone is not answered, and what broke off by that is no defect.
    if (isGone(request)) reply.hijack();
    else sendError(reply, toGatewayError(error, limits, onDefect));
  });
  return app;
}

/** The gateway's own, so that one id stands in the logs of both. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.-]{1,128}$/.test(given) ? given : `req_${randomUUID().replaceAll('-', '')}`;
}

function isGone({ raw }: FastifyRequest): boolean {
  return raw.socket.destroyed;
}

function sendError(reply: FastifyReply, error: GatewayError): void {
  const headers = { ...error.headers, 'x-request-id': reply.request.id };
  void reply.code(error.status).headers(headers).type('application/json').send(error.body);
}

function toGatewayError(error: unknown, limits: BatchLimits, onDefect: (error: unknown) => void): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof StoreUnavailable) return storeUnavailable(error);
  if (error instanceof StoreFull) return storeFull(error);
  if (isUnreachable(error)) return kubernetesUnavailable(error);
  const { code, statusCode } = error as FastifyError;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return notJson();
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(limits.bodyBytes);
  if (statusCode !== undefined && statusCode < 500) return malformedRequest('The request could not be read.');
  onDefect(error);
  return internalError(error);
}

function isUnreachable(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  return error instanceof ConnectionError;
}
