/** Passes requests for files and batches to the batch process, streamed both ways: nothing of them is kept. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Dispatcher } from 'undici';
import { describeError } from '../../kube/errors.ts';
import {
  batchTimeout,
  batchUnreachable,
  bodyTooLarge,
  GatewayError,
  shuttingDown,
  uploadStalled,
  uploadTooSlow,
} from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';

/** Heads of requests that are passed on; never the client's Authorization, cookies or addresses. */
const REQUEST_HEADERS = ['content-type', 'content-length', 'range'] as const;
const ANSWER_HEADERS = [
  'content-type',
  'content-length',
  'content-disposition',
  'content-range',
  'accept-ranges',
  'retry-after',
  'x-should-retry',
] as const;
/** For the rest of a body whose answer is there already: a client may read it only when all is sent. */
const LINGER_MS = 10_000;

/** Where the batch process is. */
export interface BatchUpstream {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
}

export interface BatchRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly requestId: string;
  /** On whose behalf. */
  readonly key: { readonly namespace: string; readonly name: string };
  /** What else of the key the batch process is told, as headers `x-infer-…`; a client's own are never passed on. */
  readonly ofKey?: Readonly<Record<`x-infer-${string}`, string>>;
  /** Most bytes of its body. */
  readonly bodyBytes: number;
}

type Limits = Pick<GatewayLimits, 'transferStallMs' | 'uploadTimeoutMs' | 'downloadTimeoutMs'>;

/** One request while it lasts. */
class Transfer {
  readonly #limits: Limits;
  readonly #abort = new AbortController();
  readonly #stall: NodeJS.Timeout;
  readonly #timers: NodeJS.Timeout[];
  #waitsForClient = (): boolean => false;

  constructor(limits: Limits, hasBody: boolean) {
    this.#limits = limits;
    const { transferStallMs, uploadTimeoutMs } = limits;
    this.#stall = setTimeout(() => this.end(this.#stalled()), transferStallMs);
    const tooSlow = (): void => this.end(uploadTooSlow(uploadTimeoutMs / 1000));
    this.#timers = hasBody ? [this.#stall, setTimeout(tooSlow, uploadTimeoutMs)] : [this.#stall];
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why it was ended before its time. */
  get reason(): unknown {
    return this.#abort.signal.reason;
  }

  /** Lets go of both ends. */
  end(reason: GatewayError | undefined): void {
    this.stopTimers();
    this.#abort.abort(reason ?? new Error('the client has gone'));
  }

  stopTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Returns the client's body as it comes; it fails where there is more than allowed. */
  body(source: IncomingMessage, mostBytes: number): Readable {
    let bytes = 0;
    const body = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length;
        this.#moved();
        if (bytes > mostBytes) done(bodyTooLarge(mostBytes));
        else done(null, chunk);
      },
    });
    this.#waitsForClient = () => !source.complete && body.readableLength + body.writableLength === 0;
    return source.pipe(body);
  }

  /** Yields the batch process's body as the client takes it, which breaks off where that takes too long. */
  async *answer(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.#timers.push(setTimeout(() => this.end(undefined), this.#limits.downloadTimeoutMs));
    for await (const chunk of source) {
      this.#moved();
      yield chunk;
    }
  }

  #moved(): void {
    this.#stall.refresh();
  }

  #stalled(): GatewayError {
    const seconds = this.#limits.transferStallMs / 1000;
    return this.#waitsForClient() ? uploadStalled(seconds) : batchTimeout(seconds);
  }
}

export class BatchProcess {
  readonly #upstream: BatchUpstream;
  readonly #limits: Limits;
  readonly #logger: Logger;
  readonly #transfers = new Set<Transfer>();
  #failing = false;

  constructor(upstream: BatchUpstream, limits: Limits, logger: Logger) {
    this.#upstream = upstream;
    this.#limits = limits;
    this.#logger = logger;
  }

  /**
   * Answers `response` with what the batch process says; calls `onHead` before it writes to it. Resolves when the answer
   * was sent, its client has gone, or it broke.
   * @throws GatewayError where nothing was written and the client is still to be told why
   */
  async forward(
    request: BatchRequest,
    source: IncomingMessage,
    response: ServerResponse,
    onHead: () => void,
  ): Promise<void> {
    const sendsBody = hasBody(source);
    const transfer = new Transfer(this.#limits, sendsBody);
    this.#transfers.add(transfer);
    const left = (): void => transfer.end(undefined);
    response.once('close', left);
    try {
      const body = sendsBody ? transfer.body(source, request.bodyBytes) : null;
      const answer = await this.#send(request, source.headers, body, transfer);
      onHead();
      response.writeHead(answer.statusCode, {
        ...pick(answer.headers, ANSWER_HEADERS),
        'x-request-id': request.requestId,
      });
      // Destroys both where one breaks: the client then sees that the answer is not whole.
      await pipeline(answer.body, (body) => transfer.answer(body), response).catch(() => undefined);
    } finally {
      response.off('close', left);
      transfer.stopTimers();
      this.#transfers.delete(transfer);
      discardRest(source);
    }
  }

  /** Ends every request that is under way. */
  cutAll(): void {
    for (const transfer of this.#transfers) transfer.end(shuttingDown());
  }

  async close(): Promise<void> {
    await this.#upstream.dispatcher.destroy();
  }

  async #send(
    { method, path, requestId, key, ofKey }: BatchRequest,
    headers: IncomingHttpHeaders,
    body: Readable | null,
    transfer: Transfer,
  ): Promise<Dispatcher.ResponseData> {
    const { dispatcher, origin } = this.#upstream;
    try {
      const answer = await dispatcher.request({
        origin,
        path,
        method,
        headers: {
          ...(body === null ? pick(headers, ['range']) : pick(headers, REQUEST_HEADERS)),
          ...ofKey,
          'x-infer-namespace': key.namespace,
          'x-infer-key': key.name,
          'x-request-id': requestId,
        },
        body,
        signal: transfer.signal,
      });
      this.#note(undefined);
      return answer;
    } catch (error) {
      // A body that is too big comes back as it was thrown.
      if (error instanceof GatewayError) throw error;
      if (transfer.signal.aborted) {
        throw transfer.reason instanceof GatewayError ? transfer.reason : batchUnreachable();
      }
      this.#note(error);
      throw batchUnreachable();
    }
  }

  /** Tells the log once that the batch process is away, and once that it is back. */
  #note(error: unknown): void {
    if (this.#failing === (error !== undefined)) return;
    this.#failing = error !== undefined;
    const { origin } = this.#upstream;
    if (this.#failing) this.#logger.warn({ origin, error: describeError(error) }, 'the batch process is not reached');
    else this.#logger.info({ origin }, 'the batch process is reached again');
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

/** Where the answer came before the whole body the connection is kept as long as the rest comes soon. */
function discardRest(source: IncomingMessage): void {
  if (source.complete || source.destroyed) return;
  const timer = setTimeout(() => source.destroy(), LINGER_MS).unref();
  source
    .once('close', () => clearTimeout(timer))
    .unpipe()
    .resume();
}
