/** A fastify application as both of the gateway's servers need it: ids of requests, and every error in OpenAI's shape. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import {
  bodyTooLarge,
  GatewayError,
  internalError,
  malformedRequest,
  unknownUrl,
  unsupportedMediaType,
} from './errors.ts';
import type { GatewayLimits } from './limits.ts';

/** An idle connection of a client lives longer than the 60 s of common balancers, which must be the ones to close it. */
const CLIENT_KEEP_ALIVE_MS = 75_000;
/** After which an idle client is asked, by TCP, whether it is still there. */
const CLIENT_PROBE_MS = 15_000;
/** For heads and bodies to come in. */
const REQUEST_TIMEOUT_MS = 120_000;

export interface AppOptions {
  readonly limits: Pick<GatewayLimits, 'bodyBytes'>;
  /** Called with each defect. */
  readonly onError: (error: unknown) => void;
  /** Connections whose request may take longer to come in, and is timed by its own handler. */
  readonly slow?: { has(socket: Socket): boolean };
}

/** Returns an application without routes. */
export function createApp({ limits, onError, slow }: AppOptions): FastifyInstance {
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
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && slow?.has(socket) === true) return;
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
  app.setErrorHandler((error, { routeOptions }, reply) => {
    const bodyBytes = routeOptions.bodyLimit ?? limits.bodyBytes;
    sendError(reply, toGatewayError(error, { bodyBytes }, onError));
  });
  return app;
}

function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`;
}

function sendError(reply: FastifyReply, error: GatewayError): void {
  const headers = { ...error.headers, 'x-request-id': reply.request.id };
  void reply.code(error.status).headers(headers).type('application/json').send(error.body);
}

function toGatewayError(error: unknown, limits: AppOptions['limits'], onError: (error: unknown) => void): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code, statusCode } = error as FastifyError;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return unsupportedMediaType();
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return bodyTooLarge(limits.bodyBytes);
  if (statusCode !== undefined && statusCode < 500) return malformedRequest('The request could not be read.');
  onError(error);
  return internalError(error);
}
