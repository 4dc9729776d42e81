/** From parts to files. Every step may be done again, by another process too, and comes to the same. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import { formatTime } from '../../kube/conditions.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { DEFAULT_LIFETIME_SECONDS, contentKey, fileCreatedMs, fileIdOf, fileObject } from '../files/file-object.ts';
import { UNFINISHED_MS } from '../files/sweep.ts';
import type { TimedIds } from '../timed-ids.ts';
import type { BatchFiles, WorkerClock } from './access.ts';
import { batchPrefix, errorsKey, manifestKey } from './keys.ts';
import { persistently } from './persistence.ts';
import type { OnTrouble } from './persistence.ts';
import type { ResultKind } from './result-lines.ts';
import { fileContent } from './seal.ts';
import type { Manifest, Results } from './seal.ts';
import { enterState } from './state.ts';
import type { BatchState } from './state.ts';
import type { StatusWriter } from './status-writer.ts';

/** A bucket takes one request for each part, of which there are up to 50,000. */
const DELETED_TOGETHER = 32;

export interface FinaliseOptions {
  readonly store: ObjectStore;
  readonly files: BatchFiles;
  readonly status: StatusWriter;
  readonly ids: TimedIds;
  readonly clock: WorkerClock;
  readonly signal: AbortSignal;
  readonly onTrouble: OnTrouble;
}

/** True once what the files are made of is fixed. */
export function isSealed({ status }: InferenceBatch): boolean {
  return status?.finalizingAt !== undefined;
}

/** Fixes what the files are made of, and their ids. What comes into parts afterwards is of no account. */
export async function seal(options: FinaliseOptions, results: Results): Promise<void> {
  const { store, status, ids, clock, signal, onTrouble } = options;
  const { requests, usage, expired, manifest } = results;
  const outputFileId = requests.completed > 0 ? fileIdOf(ids.next()) : undefined;
  const errorFileId = requests.failed > 0 ? fileIdOf(ids.next()) : undefined;
  const anyId = outputFileId ?? errorFileId;
  if (anyId === undefined) throw new Error('a batch without results cannot be finalised');
  // Its name is in the status before anybody reads it: of two that seal, the one whose status write wins counts.
  const key = manifestKey(status.batch, anyId);
  await persistently(
    async () => await store.put(key, Buffer.from(JSON.stringify(manifest)), { signal }),
    onTrouble,
    signal,
  );
  await status.change((batch) => {
    if (isSealed(batch)) return batch.status ?? {};
    const now = new Date(clock.wall());
    const state = batch.spec.cancel === true ? 'Cancelling' : 'Finalizing';
    return enterState(batch, state, 'The files are being put together.', now, {
      finalizingAt: formatTime(now),
      ...(expired && state === 'Finalizing' && { expiredAt: formatTime(now) }),
      requests: { total: requests.completed + requests.failed, ...requests },
      usage,
      neededReplicas: 0,
      ...(outputFileId !== undefined && { outputFileId }),
      ...(errorFileId !== undefined && { errorFileId }),
    });
  });
}

/**
 * Makes the files of a sealed batch, removes its parts, and ends it. Throws Error where neither the files nor what they are
 * made of are in the store.
 */
export async function publish(options: FinaliseOptions): Promise<void> {
  const { store, status, clock, signal, onTrouble } = options;
  const { batch } = status;
  const manifest = await persistently(async () => await readManifest(options), onTrouble, signal);
  // It is removed once both files are there, and before any part is.
  if (manifest !== undefined) await makeFiles(options, manifest);
  else await persistently(async () => await requireFiles(options), onTrouble, signal);
  await persistently(async () => await removeObjects(store, batch, signal), onTrouble, signal);
  await status.change((current) => {
    const [state, message] = finalState(current);
    return enterState(current, state, message, new Date(clock.wall()));
  });
}

/** Removes all objects of a batch but, unless `all`, the errors of its input. */
export async function removeObjects(
  store: ObjectStore,
  batch: InferenceBatch,
  signal: AbortSignal,
  all = false,
): Promise<void> {
  // What is listed while it is removed could be skipped.
  const keys: string[] = [];
  for await (const { key } of store.list(batchPrefix(batch), { signal })) {
    if (all || key !== errorsKey(batch)) keys.push(key);
  }
  await removeKeys(store, keys, signal);
}

/** Removes these objects, some at a time. */
export async function removeKeys(store: ObjectStore, keys: readonly string[], signal: AbortSignal): Promise<void> {
  for (let start = 0; start < keys.length; start += DELETED_TOGETHER) {
    signal.throwIfAborted();
    await Promise.all(keys.slice(start, start + DELETED_TOGETHER).map(async (key) => await store.delete(key)));
  }
}

async function readManifest({ store, status, signal }: FinaliseOptions): Promise<Manifest | undefined> {
  const { outputFileId, errorFileId } = status.batch.status ?? {};
  const stored = await store.get(manifestKey(status.batch, outputFileId ?? errorFileId ?? ''), { signal });
  if (stored === undefined) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of stored.content as AsyncIterable<Buffer>) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString('utf8')) as Manifest;
}

/** A store that lost what it had is no store in which all was done. */
async function requireFiles({ store, status }: FinaliseOptions): Promise<void> {
  const { metadata, status: { outputFileId, errorFileId } = {} } = status.batch;
  for (const id of [outputFileId, errorFileId]) {
    if (id === undefined || (await store.head(contentKey(metadata.namespace ?? '', id))) !== undefined) continue;
    throw new Error(`neither the file ${id} nor what it is made of is in the store`);
  }
}

async function makeFiles(options: FinaliseOptions, manifest: Manifest): Promise<void> {
  const { store, status, signal, onTrouble } = options;
  const { outputFileId, errorFileId } = status.batch.status ?? {};
  const wanted: [ResultKind, string | undefined][] = [
    ['output', outputFileId],
    ['error', errorFileId],
  ];
  for (const [kind, id] of wanted) {
    if (id === undefined) continue;
    await persistently(async () => await makeFile(options, manifest, kind, id), onTrouble, signal);
  }
  const key = manifestKey(status.batch, outputFileId ?? errorFileId ?? '');
  await persistently(async () => await store.delete(key), onTrouble, signal);
}

/** One try, however long after the last: a sweep may have removed what that left. */
async function makeFile(options: FinaliseOptions, manifest: Manifest, kind: ResultKind, id: string): Promise<void> {
  const { store, files, status, clock, signal } = options;
  const { batch } = status;
  const namespace = batch.metadata.namespace ?? '';
  const key = contentKey(namespace, id);
  const stored = await store.head(key);
  const lasts = stored !== undefined && stored.writtenAtMs + UNFINISHED_MS / 2 > clock.wall();
  const content = (): AsyncIterable<Buffer> => fileContent(store, batchPrefix(batch), manifest, kind, signal);
  const bytes = lasts ? stored.bytes : await store.put(key, content(), { signal });
  const filename = `batch_${batch.metadata.name}_${kind}.jsonl`;
  // The id is as old as the seal: while the store was full, say, the time of a file that is not there yet must not run.
  const ageSeconds = Math.max(0, Math.floor((clock.wall() - fileCreatedMs(id)) / 1000));
  const lifetimeSeconds = ageSeconds + (batch.spec.outputExpiresAfterSeconds ?? DEFAULT_LIFETIME_SECONDS);
  await files.add(namespace, fileObject({ id, bytes, filename, purpose: 'batch_output', lifetimeSeconds }));
}

function finalState({ status = {} }: InferenceBatch): [BatchState, string] {
  const { total = 0, completed = 0, failed = 0 } = status.requests ?? {};
  const counts = `${completed} of ${total} requests were answered, ${failed} ended in an error`;
  if (status.cancellingAt !== undefined) return ['Cancelled', `The batch was cancelled: ${counts}.`];
  if (status.expiredAt !== undefined) {
    return ['Expired', `The window was over before all was done: ${counts}. Make a batch of those of the error file.`];
  }
  return ['Completed', `The batch is done: ${counts}.`];
}
