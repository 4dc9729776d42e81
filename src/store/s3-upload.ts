import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { blocks, type Source } from './blocks.ts';
import { nameOf } from './s3-errors.ts';

/** S3 takes at most 10,000 parts: 78 GiB of this size. */
const PART_BYTES = 8 * 1024 * 1024;

/** Parts under way at once; with the one that is filled meanwhile, 24 MiB of memory for each put. */
const PARTS_AT_ONCE = 2;

/** For giving up the parts of a failed upload. */
const CLEAN_UP_MS = 10_000;

/** Names the upload in its object's metadata. */
const UPLOAD_MARK = 'infer-upload';

/** An object to write, and what becomes of an error of S3. */
export interface S3Upload {
  readonly client: S3Client;
  readonly place: { readonly Bucket: string; readonly Key: string };
  readonly maxBytes: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Returns what the request gives, or throws what its failure means. */
  readonly reached: <T>(request: Promise<T>, signal?: AbortSignal) => Promise<T>;
}

/** Writes an object, by one request where it fits into one part, and returns its size in bytes. Throws as `put` does. */
export async function upload(source: Source, target: S3Upload): Promise<number> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(target.signal === undefined ? [] : [target.signal])]);
  const free: Buffer[] = [];
  const buffer = (): Buffer => free.pop() ?? Buffer.allocUnsafe(PART_BYTES);
  const parts = blocks(source, { maxBytes: target.maxBytes, signal, buffer });
  try {
    const first = (await parts.next()).value ?? Buffer.alloc(0);
    const second = await parts.next();
    if (second.done === true) {
      const command = new PutObjectCommand({ ...target.place, Body: first });
      await target.reached(target.client.send(command, { abortSignal: signal }), signal);
      return first.length;
    }
    const multipart = new Multipart(target, failed, signal, free);
    return await multipart.run([first, second.value], parts);
  } finally {
    await parts.return(undefined);
  }
}

class Multipart {
  readonly #target: S3Upload;
  readonly #failed: AbortController;
  readonly #signal: AbortSignal;
  readonly #free: Buffer[];
  readonly #mark = randomUUID();
  readonly #running = new Set<Promise<void>>();
  readonly #tags: { PartNumber: number; ETag: string | undefined }[] = [];
  #bytes = 0;

  constructor(target: S3Upload, failed: AbortController, signal: AbortSignal, free: Buffer[]) {
    this.#target = target;
    this.#failed = failed;
    this.#signal = signal;
    this.#free = free;
  }

  async run(first: readonly Buffer[], rest: AsyncIterable<Buffer>): Promise<number> {
    const { client, place, reached } = this.#target;
    const create = new CreateMultipartUploadCommand({ ...place, Metadata: { [UPLOAD_MARK]: this.#mark } });
    const { UploadId } = await reached(client.send(create, { abortSignal: this.#signal }), this.#signal);
    try {
      for (const part of first) await this.#start(part, UploadId);
      for await (const part of rest) await this.#start(part, UploadId);
      await Promise.all(this.#running);
      this.#signal.throwIfAborted();
      await this.#complete(UploadId);
      return this.#bytes;
    } catch (error) {
      this.#failed.abort(error);
      await Promise.all(this.#running);
      const abort = new AbortMultipartUploadCommand({ ...place, UploadId });
      // Parts that stay cost room and are never seen; a rule of the bucket removes them.
      await client.send(abort, { abortSignal: AbortSignal.timeout(CLEAN_UP_MS) }).catch(() => undefined);
      throw error;
    }
  }

  /** Begins to send a part, as soon as few enough are under way. Its failure ends the reading of the source. */
  async #start(part: Buffer, UploadId: string | undefined): Promise<void> {
    while (this.#running.size >= PARTS_AT_ONCE) await Promise.race(this.#running);
    this.#signal.throwIfAborted();
    const tag: { PartNumber: number; ETag: string | undefined } = {
      PartNumber: this.#tags.length + 1,
      ETag: undefined,
    };
    this.#tags.push(tag);
    this.#bytes += part.length;
    const { client, place, reached } = this.#target;
    const command = new UploadPartCommand({ ...place, UploadId, PartNumber: tag.PartNumber, Body: part });
    const sent = reached(client.send(command, { abortSignal: this.#signal }), this.#signal)
      .then(
        ({ ETag }) => {
          tag.ETag = ETag;
          this.#free.push(part);
        },
        (error: unknown) => this.#failed.abort(error),
      )
      .finally(() => this.#running.delete(sent));
    this.#running.add(sent);
  }

  async #complete(UploadId: string | undefined): Promise<void> {
    const { client, place, reached } = this.#target;
    const complete = new CompleteMultipartUploadCommand({
      ...place,
      UploadId,
      MultipartUpload: { Parts: this.#tags },
    });
    const sent = client.send(complete, { abortSignal: this.#signal }).catch(async (error: unknown) => {
      // The answer to a first attempt was lost, perhaps, and this is that to the second one.
      if (nameOf(error) !== 'NoSuchUpload') throw error;
      const { Metadata } = await client.send(new HeadObjectCommand(place), { abortSignal: this.#signal });
      if (Metadata?.[UPLOAD_MARK] !== this.#mark) throw error;
    });
    await reached(sent, this.#signal);
  }
}
