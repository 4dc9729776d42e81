/** /v1/batches. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import { inferenceBatches } from '../../api/resources.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isNotFound } from '../../kube/errors.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { batchNotFound, cannotCancel, quotaReached, tooManyBatches } from '../errors.ts';
import type { Places } from '../places.ts';
import { listObject, text, wholeNumber, type Query } from '../query.ts';
import type { TimedIds } from '../timed-ids.ts';
import { errorsOf } from './batch-errors.ts';
import { batchIdOf, batchNameOf } from './batch-id.ts';
import { batchObject, firstErrors, hasEnded, stateOf, type BatchState } from './batch-object.ts';
import type { BatchView } from './batch-view.ts';
import { readCreateRequest } from './create-request.ts';
import { pageOf } from './page.ts';

const FIELD_MANAGER = 'infer-batch-api';
const PAGE = { fallback: 20, from: 1, to: 100 };

/** Nothing is left to be cancelled. */
const OVER: ReadonlySet<BatchState> = new Set(['completed', 'failed', 'expired']);

export interface BatchRouteParts {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  readonly batches: BatchView;
  readonly store: ObjectStore;
  readonly ids: TimedIds;
  readonly places: { readonly others: Places };
  /** Batches of one namespace that have not ended. */
  readonly maxUnfinished: number;
}

/** Adds the routes. */
export function addBatchRoutes(app: FastifyInstance, parts: BatchRouteParts): void {
  const { others } = parts.places;
  app.post(
    '/v1/batches',
    others.bounded((request) => create(parts, request)),
  );
  app.get(
    '/v1/batches',
    others.bounded((request) => list(parts, request)),
  );
  app.get(
    '/v1/batches/:id',
    others.bounded((request) => retrieve(parts, request)),
  );
  app.post(
    '/v1/batches/:id/cancel',
    others.bounded((request) => cancel(parts, request)),
  );
}

async function retrieve(parts: BatchRouteParts, request: FastifyRequest) {
  const batch = await existing(parts.batches, request);
  return batchObject(batch, await errorsOf(parts.store, batch));
}

async function existing(batches: BatchView, { params, tenant }: FastifyRequest): Promise<InferenceBatch> {
  const { id } = params as { id: string };
  const name = batchNameOf(id);
  const batch = name === undefined ? undefined : await batches.find(tenant.namespace, name);
  if (batch === undefined) throw batchNotFound(id);
  return batch;
}

async function create(parts: BatchRouteParts, { body, tenant }: FastifyRequest) {
  const { batches, client, ids, maxUnfinished } = parts;
  const spec = { ...readCreateRequest(body), apiKey: tenant.key };
  const unfinished = batches.list(tenant.namespace).filter((batch) => !hasEnded(batch)).length;
  if (unfinished >= maxUnfinished) throw tooManyBatches(maxUnfinished);
  const metadata = { namespace: tenant.namespace, name: ids.next() };
  const batch = { apiVersion: 'infer.dev/v1alpha1', kind: 'InferenceBatch', metadata, spec } as const;
  try {
    const created = await client.create(inferenceBatches, batch, { fieldManager: FIELD_MANAGER });
    batches.note(created);
    return batchObject(created, []);
  } catch (error) {
    throw isQuotaExceeded(error) ? quotaReached() : error;
  }
}

function list({ batches }: BatchRouteParts, { query, tenant }: FastifyRequest) {
  const after = text(query as Query, 'after');
  const limit = wholeNumber(query as Query, 'limit', PAGE);
  const name = after === undefined ? undefined : batchNameOf(after);
  if (after !== undefined && name === undefined) throw batchNotFound(after);
  const page = pageOf(batches.list(tenant.namespace), { after: name, limit });
  if (page === undefined) throw batchNotFound(after ?? '');
  const objects = page.batches.map((batch) => batchObject(batch, firstErrors(batch.status)));
  return listObject(objects, page.hasMore);
}

async function cancel(parts: BatchRouteParts, request: FastifyRequest) {
  const batch = await cancelled(parts, await existing(parts.batches, request));
  // It may have ended meanwhile.
  if (OVER.has(stateOf(batch))) throw cannotCancel(stateOf(batch));
  return batchObject(batch, firstErrors(batch.status));
}

/** Returns the batch as it is when its end was asked for; one that has ended, or is to, is left as it is. */
async function cancelled({ batches, client }: BatchRouteParts, batch: InferenceBatch): Promise<InferenceBatch> {
  if (batch.spec.cancel === true || hasEnded(batch)) return batch;
  const body = { metadata: { uid: batch.metadata.uid }, spec: { cancel: true } };
  try {
    const options = { type: 'merge', fieldManager: FIELD_MANAGER } as const;
    const patched = await client.patch(inferenceBatches, batch.metadata, body, options);
    batches.note(patched);
    return patched;
  } catch (error) {
    throw isNotFound(error) ? batchNotFound(batchIdOf(batch.metadata.name)) : error;
  }
}

function isQuotaExceeded(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && error.message.includes('exceeded quota');
}
