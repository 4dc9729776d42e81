/** The gateway's public HTTP server. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import {
  bodyTooLarge,
  GatewayError,
  internalError,
  malformedRequest,
  unknownUrl,
  unsupportedMediaType,
} from './errors.ts';
import { Connections } from './connections.ts';
import { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
import type { LoadTracker } from './load/tracker.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Forwarder } from './proxy/forwarder.ts';
import { addInferenceRoutes } from './routes/inference.ts';
import { addModelRoutes } from './routes/models.ts';
import { observe } from './routes/observe.ts';
import type { Authenticator, Registry, ReplicaPicker } from './types.ts';

/** An idle connection of a client lives longer than the 60 s of common balancers, which must be the ones to close it. */
const CLIENT_KEEP_ALIVE_MS = 75_000;
/** After which an idle client is asked, by TCP, whether it is still there. */
const CLIENT_PROBE_MS = 15_000;
/** For heads and bodies to come in. */
const REQUEST_TIMEOUT_MS = 120_000;
/** For error events to leave when the grace period is over. */
const LAST_WORDS_MS = 500;

export interface GatewayOptions {
  readonly registry: Registry;
  readonly authenticator: Authenticator;
  readonly pick: ReplicaPicker;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly load: LoadTracker;
  /** What differs from DEFAULT_LIMITS. */
  readonly limits?: Partial<GatewayLimits>;
}

export interface Gateway {
  /** Listens on all addresses; returns the port, for 0 the one chosen. Rejects where it is taken. */
  listen(port: number): Promise<number>;
  /** From now on each answer is the last on its connection: clients come back by a new one, to another gateway. */
  leave(): void;
  /** Accepts no more connections, lets requests end for that long, then ends them: streams with an error event. */
  close(graceMs: number): Promise<void>;
}

/** Returns a gateway that is not listening yet. */
export function createGateway(options: GatewayOptions): Gateway {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { load, logger, metrics, pick } = options;
  const forwarder = new Forwarder({ pick, limits, metrics, load, logger });
  const onError = (error: unknown): void => logger.error({ err: error }, 'request failed by a defect');
  const app = createApp(limits, onError);
  observe(app, metrics, logger);
  addModelRoutes(app, options);
  addInferenceRoutes(app, { ...options, forwarder, limits, onError });
  const connections = new Connections(app.server);
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
    leave() {
      leaving = true;
    },
    async close(graceMs) {
      leaving = true;
      await closeConnections(connections, graceMs, () => forwarder.cutAll());
      await forwarder.close();
      await app.close();
    },
  };
}

function createApp(limits: GatewayLimits, onError: (error: unknown) => void): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    keepAliveTimeout: CLIENT_KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A client that vanishes without a word is found after some minutes, and its replica is free again.
    http: { keepAlive: true, keepAliveInitialDelay: CLIENT_PROBE_MS, requireHostHeader: false },
    exposeHeadRoutes: false,
    genReqId: requestId,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: (_, request, reply) => sendError(reply, unknownUrl(request.method, request.url)),
    // What is not HTTP has no request and no route.
    clientErrorHandler: (error, socket) => {
      if (!socket.writable) return;
      const { body } = malformedRequest('The request is not valid HTTP/1.1, too slow, or its head is too large.');
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      const head = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
      socket.end(`HTTP/1.1 ${status}\r\n${head}\r\nx-request-id: ${requestId()}\r\n\r\n${body}`);
    },
  });
  // Node's own answer has no body.
  app.server.on('checkExpectation', (_, response: ServerResponse) => {
    const { body } = malformedRequest('The Expect header must be 100-continue or absent.');
    response.writeHead(417, { 'content-type': 'application/json', 'x-request-id': requestId() }).end(body);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const plain = ['identity', undefined].includes(request.headers['content-encoding']);
    done(plain ? null : unsupportedMediaType(), body);
  });
  app.setNotFoundHandler((request, reply) => sendError(reply, unknownUrl(request.method, request.url)));
  app.setErrorHandler((error, _, reply) => sendError(reply, toGatewayError(error, limits, onError)));
  return app;
}

function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`;
}

function sendError(reply: FastifyReply, error: GatewayError): void {
  const headers = { ...error.headers, 'x-request-id': reply.request.id };
  void reply.code(error.status).headers(headers).type('application/json').send(error.body);
}

function toGatewayError(error: unknown, limits: GatewayLimits, onError: (error: unknown) => void): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code, statusCode } = error as FastifyError;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return unsupportedMediaType();
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(limits.bodyBytes);
  if (statusCode !== undefined && statusCode < 500) return malformedRequest('The request could not be read.');
  onError(error);
  return internalError(error);
}

async function closeConnections(connections: Connections, graceMs: number, cut: () => void): Promise<void> {
  const over = new AbortController();
  const closed = connections.close().finally(() => over.abort());
  const late = (ms: number): Promise<boolean> => delay(ms, true, { signal: over.signal }).catch(() => false);
  if (!(await late(graceMs))) return;
  cut();
  if (await late(LAST_WORDS_MS)) connections.destroy();
  await closed;
}
