/** The Files and Batches API: who asks is checked here, and the batch process answers. */
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Slots } from '../../process/slots.ts';
import { batchNotSetUp, bodyTooLarge } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { BatchProcess } from '../proxy/batch-process.ts';
import type { Authenticator } from '../types.ts';
import { authorize, BASES, keyOf, takeSlot, type Hook } from './context.ts';

interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Behind a base of ours and behind the batch process's `/v1`. */
  readonly path: string;
  /** Label of metrics. */
  readonly name: string;
  readonly uploads?: true;
}

/** All there are: nothing else reaches the batch process. */
const ROUTES: readonly Route[] = [
  { method: 'POST', path: '/files', name: 'files', uploads: true },
  { method: 'GET', path: '/files', name: 'files' },
  { method: 'GET', path: '/files/:id', name: 'files' },
  { method: 'DELETE', path: '/files/:id', name: 'files' },
  { method: 'GET', path: '/files/:id/content', name: 'files_content' },
  { method: 'POST', path: '/batches', name: 'batches' },
  { method: 'GET', path: '/batches', name: 'batches' },
  { method: 'GET', path: '/batches/:id', name: 'batches' },
  { method: 'POST', path: '/batches/:id/cancel', name: 'batches' },
];

interface Parts {
  readonly authenticator: Authenticator;
  /** Undefined where this installation has none. */
  readonly batchProcess: BatchProcess | undefined;
  readonly limits: GatewayLimits;
  /** Is given the connections whose body may take its time. */
  readonly slow: WeakSet<Socket>;
}

/** Adds the routes under every base. */
export function addFileAndBatchRoutes(app: FastifyInstance, parts: Parts): void {
  const { limits } = parts;
  const uploads = new Slots({ ofOne: limits.uploadsOfKey, all: limits.uploads });
  const transfers = new Slots({ ofOne: limits.transfersOfKey, all: limits.transfers });
  void app.register((scope, _options, done) => {
    // Whatever it is, its bytes stay unread until the batch process takes them.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    for (const route of ROUTES) {
      const bodyBytes = route.uploads ? limits.uploadBytes : limits.bodyBytes;
      const onRequest = [
        authorize(parts.authenticator, route.name, ['files']),
        checkLength(bodyBytes),
        takeSlot(transfers, 'requests for files and batches', limits.transfersOfKey),
        ...(route.uploads ? [takeSlot(uploads, 'uploads', limits.uploadsOfKey)] : []),
      ];
      const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> =>
        await forward(parts, { ...route, bodyBytes }, request, reply);
      for (const base of BASES) {
        scope.route({ method: route.method, url: `${base}${route.path}`, onRequest, handler });
      }
    }
    done();
  });
}

async function forward(
  { batchProcess, slow }: Parts,
  { method, path, bodyBytes }: Route & { bodyBytes: number },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (batchProcess === undefined) throw batchNotSetUp();
  const { raw } = request;
  const { id = '' } = request.params as { id?: string };
  const query = raw.url?.indexOf('?') ?? -1;
  const target = {
    method,
    path: `/v1${path.replace(':id', encodeURIComponent(id))}${query === -1 ? '' : (raw.url ?? '').slice(query)}`,
    requestId: request.id,
    key: keyOf(request),
    bodyBytes,
  };
  slow.add(raw.socket);
  try {
    await batchProcess.forward(target, raw, reply.raw, () => void reply.hijack());
  } catch (error) {
    // Of a client that has gone nothing is answered.
    if (!reply.raw.destroyed) throw error;
    reply.hijack();
  } finally {
    slow.delete(raw.socket);
  }
}

/** Refuses a body by what its head says of it; one that says nothing is counted as it comes. */
function checkLength(mostBytes: number): Hook {
  return (request, _, done) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    done(declared > mostBytes ? bodyTooLarge(mostBytes) : undefined);
  };
}
