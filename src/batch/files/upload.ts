/** POST /files: a file goes into the store as it comes in, and exists once all of it is there and the form is right. */
import type { IncomingHttpHeaders } from 'node:http';
import { ObjectTooLarge, type ObjectStore } from '../../store/object-store.ts';
import { emptyFile, fileTooLarge, missingParameter, namespaceFull, uploadStalled, uploadTooSlow } from '../errors.ts';
import type { TimedIds } from '../timed-ids.ts';
import { contentKey, fileIdOf, fileObject, type FileObject } from './file-object.ts';
import type { FileRepository } from './file-repository.ts';
import { safeFilename } from './filename.ts';
import { readForm } from './multipart.ts';
import type { NamespaceUsage } from './namespace-usage.ts';
import { checkUploadFields } from './upload-fields.ts';

/** Beside the file: fields, heads of parts, boundaries. */
const FORM_BYTES = 64 * 1024;

export interface UploadParts {
  readonly store: ObjectStore;
  readonly files: FileRepository;
  readonly ids: TimedIds;
  readonly usage: NamespaceUsage;
  readonly maxBytes: number;
  readonly maxNamespaceBytes: number;
  /** How long the client may send nothing while it is waited for. */
  readonly stallMs: number;
  /** What it must send on average, from twice that time on. */
  readonly leastBytesPerSecond: number;
}

/**
 * Returns the new file. Throws GatewayError for what the client did wrong, and what the source and the store throw; then
 * nothing of the file is left, except where the store does not answer: what is left there is no file, and goes with a sweep.
 */
export async function upload(
  parts: UploadParts,
  namespace: string,
  request: { headers: IncomingHttpHeaders; source: AsyncIterable<Uint8Array> },
): Promise<FileObject> {
  const { store, files, ids, usage, maxBytes, maxNamespaceBytes } = parts;
  if (Number(request.headers['content-length'] ?? 0) > maxBytes + FORM_BYTES) throw fileTooLarge(maxBytes);
  if (!(await usage.isBelow(namespace, maxNamespaceBytes))) throw namespaceFull(maxNamespaceBytes);
  const id = fileIdOf(ids.next());
  const key = contentKey(namespace, id);
  let stored = false;
  try {
    const { fields, file } = await readForm(
      inTime(request.source, parts),
      request.headers,
      async (content, name, fieldsBefore) => {
        const filename = safeFilename(name);
        // Where the fields come first, what is refused is not even stored.
        if (fieldsBefore.has('purpose')) checkUploadFields(fieldsBefore, filename);
        const bytes = await store.put(key, content, { maxBytes });
        stored = true;
        return { filename, bytes };
      },
    );
    if (file === undefined) throw missingParameter('file');
    const lifetimeSeconds = checkUploadFields(fields, file.filename);
    if (file.bytes === 0) throw emptyFile();
    const object = fileObject({ id, ...file, purpose: 'batch', lifetimeSeconds });
    await files.add(namespace, object);
    usage.add(namespace, object.bytes);
    return object;
  } catch (error) {
    if (stored) await files.remove(namespace, id).catch(() => undefined);
    throw error instanceof ObjectTooLarge ? fileTooLarge(maxBytes) : error;
  }
}

/** Yields what `source` yields; throws where that takes too long. What its reader takes its time for does not count. */
async function* inTime(
  source: AsyncIterable<Uint8Array>,
  { stallMs, leastBytesPerSecond }: Pick<UploadParts, 'stallMs' | 'leastBytesPerSecond'>,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let [bytes, waitedMs] = [0, 0];
  try {
    for (;;) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const leftMs = 2 * stallMs + (bytes / leastBytesPerSecond) * 1000 - waitedMs;
      const error = leftMs < stallMs ? uploadTooSlow(leastBytesPerSecond) : uploadStalled(Math.round(stallMs / 1000));
      const timer = setTimeout(() => reject(error), Math.min(leftMs, stallMs));
      const started = performance.now();
      const next = await Promise.race([iterator.next(), late]).finally(() => clearTimeout(timer));
      waitedMs += performance.now() - started;
      if (next.done === true) return;
      bytes += next.value.length;
      yield next.value;
    }
  } finally {
    // Not awaited: it would wait for the bytes that did not come.
    void iterator.return?.()?.catch(() => undefined);
  }
}
