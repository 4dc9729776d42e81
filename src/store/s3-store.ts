import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import type { Source } from './blocks.ts';
import { checkKey, checkPrefix, isKey } from './keys.ts';
import { StoreUnavailable, type ByteRange, type ObjectStore, type StoredObject } from './object-store.ts';
import { s3Content } from './s3-content.ts';
import { nameOf, s3Error, statusOf } from './s3-errors.ts';
import { upload } from './s3-upload.ts';
import type { S3Settings } from './settings.ts';

/** How long a request may take: to connect, without a byte moving, and from its start to the head of its answer. */
export interface S3Timeouts {
  readonly connectMs: number;
  readonly silenceMs: number;
  readonly requestMs: number;
}

const TIMEOUTS: S3Timeouts = { connectMs: 5_000, silenceMs: 30_000, requestMs: 120_000 };

/** Downloads whose readers are slow keep their connections, so there are more than the SDK's 50. */
const MAX_CONNECTIONS = 500;

/**
 * Returns the store in a bucket, or below a prefix in it. Nothing is asked of the bucket yet. Credentials come from where the
 * SDK looks for them: the environment, mounted files, or the role of the ServiceAccount.
 */
export function openS3Store(settings: S3Settings, timeouts: S3Timeouts = TIMEOUTS): ObjectStore {
  const agent = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
  const client = new S3Client({
    region: settings.region,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    forcePathStyle: settings.pathStyle,
    maxAttempts: 3,
    // Not every server knows the checksums that the SDK would add by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: timeouts.connectMs,
      socketTimeout: timeouts.silenceMs,
      requestTimeout: timeouts.requestMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  return new S3Store(client, settings.bucket, settings.prefix === '' ? '' : `${settings.prefix}/`);
}

class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(client: S3Client, bucket: string, prefix: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async put(key: string, source: Source, options: { maxBytes?: number; signal?: AbortSignal } = {}): Promise<number> {
    return await upload(source, {
      client: this.#client,
      place: this.#place(key),
      maxBytes: options.maxBytes,
      signal: options.signal,
      reached: async (request, signal) => await this.#reached(request, signal),
    });
  }

  async get(
    key: string,
    options: { range?: ByteRange; signal?: AbortSignal } = {},
  ): Promise<{ bytes: number; content: Readable } | undefined> {
    const place = this.#place(key);
    const { range, signal } = options;
    const { from = 0, to = Infinity } = range ?? {};
    if (to < from) return await this.#nothingOf(key);
    const open = async (Range: string | undefined, IfMatch?: string): Promise<GetObjectCommandOutput> =>
      await this.#client.send(new GetObjectCommand({ ...place, Range, IfMatch }), sending(signal));
    let answer: GetObjectCommandOutput;
    try {
      answer = await open(range && `bytes=${from}-${to === Infinity ? '' : to}`);
    } catch (error) {
      if (nameOf(error) === 'NoSuchKey') return undefined;
      if (statusOf(error) === 416) return await this.#nothingOf(key);
      throw this.#failure(error, signal);
    }
    const bytes = range === undefined ? Number(answer.ContentLength) : this.#wholeSize(answer, from);
    const end = Math.min(to + 1, bytes);
    const reopen = async (at: number): Promise<Readable> => {
      try {
        const rest = await open(`bytes=${at}-${end - 1}`, answer.ETag);
        this.#wholeSize(rest, at);
        return rest.Body as Readable;
      } catch (error) {
        if (nameOf(error) !== 'NoSuchKey' && statusOf(error) !== 412) throw this.#failure(error, signal);
        throw new StoreUnavailable(`The object ${key} was replaced or removed while it was read: read it again.`);
      }
    };
    const failed = (error: unknown): Error => this.#failure(error, signal);
    return { bytes, content: s3Content(answer.Body as Readable, { from, end, reopen, failed, signal }) };
  }

  /** The size of the object of which this is a part that begins at `from`. */
  #wholeSize({ ContentRange }: GetObjectCommandOutput, from: number): number {
    const [, start, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? '') ?? [];
    if (Number(start) === from && size !== undefined) return Number(size);
    throw new StoreUnavailable(`The server of the bucket ${this.#bucket} does not answer for ranges: use another one.`);
  }

  async #nothingOf(key: string): Promise<{ bytes: number; content: Readable } | undefined> {
    const found = await this.head(key);
    return found && { bytes: found.bytes, content: Readable.from([]) };
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const command = new HeadObjectCommand(this.#place(key));
    try {
      const answer = await this.#client.send(command);
      return { key, bytes: Number(answer.ContentLength), writtenAtMs: Number(answer.LastModified) };
    } catch (error) {
      if (statusOf(error) !== 404) throw this.#failure(error);
    }
    // The answer to HEAD has no body that would say which of the two is missing.
    await this.#reached(this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket })));
    return undefined;
  }

  async *list(prefix: string, options: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<StoredObject> {
    checkPrefix(prefix);
    const { after, signal } = options;
    const input = {
      Bucket: this.#bucket,
      Prefix: `${this.#prefix}${prefix}`,
      StartAfter: after && `${this.#prefix}${after}`,
    };
    let ContinuationToken: string | undefined;
    do {
      const command = new ListObjectsV2Command({ ...input, ContinuationToken });
      const page = await this.#reached(this.#client.send(command, sending(signal)), signal);
      for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
        const key = Key.slice(this.#prefix.length);
        if (isKey(key)) yield { key, bytes: Number(Size), writtenAtMs: Number(LastModified) };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#place(key));
    try {
      await this.#client.send(command);
    } catch (error) {
      if (nameOf(error) !== 'NoSuchKey') throw this.#failure(error);
    }
  }

  #place(key: string): { Bucket: string; Key: string } {
    checkKey(key);
    return { Bucket: this.#bucket, Key: `${this.#prefix}${key}` };
  }

  #failure(error: unknown, signal?: AbortSignal): Error {
    if (signal?.aborted === true) return signal.reason as Error;
    return error instanceof StoreUnavailable ? error : s3Error(error, this.#bucket);
  }

  async #reached<T>(request: Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await request;
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }
}

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
