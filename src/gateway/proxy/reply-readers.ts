/** How the answer of an engine is passed on, by its kind. */
import type { StreamUsage } from '../metering/stream-usage.ts';
import { usageOf, type TokenUsage } from '../metering/token-usage.ts';
import type { ClientResponse } from './client-response.ts';
import { inspectEvents, saysAborted } from './inspect-events.ts';
import type { ModelRenamer } from './model-name.ts';
import { WholeEvents } from './whole-events.ts';

export type FailureReason =
  | 'connect' // no connection: the engine never saw the request
  | 'reset' // the connection broke
  | 'truncated' // a stream ended without [DONE]
  | 'aborted' // the engine gave the request up, and not because our client left
  | 'unresponsive' // the replica no longer answers its health check
  | 'first_byte_timeout'
  | 'timeout'
  | 'malformed'; // what came is no HTTP or no event stream

/** How an attempt on one replica ended. */
export type Outcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'client-gone' }
  /** The engine answered with an error; 200 where it came inside a stream. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: Buffer }
  | { readonly kind: 'failed'; readonly reason: FailureReason };

/** Takes the body of an answer. Both return an outcome when the answer is decided. */
export interface ReplyReader {
  data(chunk: Buffer): Outcome | undefined;
  end(): Outcome;
  /** The answer is whole, whatever its connection does from here on. */
  readonly complete: boolean;
  /** The tokens that the engine has told so far; undefined where it has told none. */
  readonly usage: TokenUsage | undefined;
}

const COMPLETE: Outcome = { kind: 'complete' };

/** A stream of events: whole events are passed on as they come, so that an error event can follow at any time. */
export class StreamReply implements ReplyReader {
  readonly #client: ClientResponse;
  readonly #rename: ModelRenamer | undefined;
  readonly #maxEventBytes: number;
  readonly #usage: StreamUsage;
  readonly #events = new WholeEvents();
  #done = false;

  get complete(): boolean {
    return this.#done;
  }

  get usage(): TokenUsage | undefined {
    return this.#usage.usage;
  }

  constructor(
    client: ClientResponse,
    options: { rename: ModelRenamer | undefined; maxEventBytes: number; usage: StreamUsage },
  ) {
    this.#client = client;
    this.#rename = options.rename;
    this.#maxEventBytes = options.maxEventBytes;
    this.#usage = options.usage;
  }

  data(chunk: Buffer): Outcome | undefined {
    const events = this.#events.push(chunk);
    if (this.#events.heldBytes > this.#maxEventBytes) return { kind: 'failed', reason: 'malformed' };
    return events === undefined ? undefined : this.#pass(events);
  }

  end(): Outcome {
    // Half an event would spoil the error event that follows; only [DONE] may lack the empty line after it.
    const bytes = this.#events.rest();
    const rest = inspectEvents(bytes, bytes.toString('latin1'));
    if (rest.end === 'done') this.#pass(Buffer.concat([rest.pass, Buffer.from('\n\n')]));
    if (!this.#done) return { kind: 'failed', reason: 'truncated' };
    this.#client.end();
    return COMPLETE;
  }

  #pass(events: Buffer): Outcome | undefined {
    const text = events.toString('latin1');
    const { pass: told, end, error } = inspectEvents(events, text);
    const pass = this.#usage.take(told, told === events ? text : told.toString('latin1'));
    if (pass.length > 0) this.#client.write(this.#rename === undefined ? pass : this.#rename(pass));
    if (end === 'error') {
      return { kind: 'answer', status: 200, body: (error ?? Buffer.alloc(0)).subarray(0, MAX_ERROR_BYTES) };
    }
    if (end === 'aborted') return { kind: 'failed', reason: 'aborted' };
    if (end === 'done') this.#done = true;
    return undefined;
  }
}

/**
 * A whole answer. It is held back until it is complete, so that another replica can be asked when this one dies; one
 * that is bigger than the bound is passed on as it comes from there on.
 */
export class WholeReply implements ReplyReader {
  readonly complete = false;
  usage: TokenUsage | undefined;
  readonly #client: ClientResponse;
  readonly #rename: ModelRenamer | undefined;
  readonly #maxBytes: number;
  /** The end of what was passed on so far, in which a usage may begin. */
  #tail: Buffer = Buffer.alloc(0);
  #held: Buffer[] = [];
  #heldBytes = 0;
  #passing = false;

  constructor(client: ClientResponse, options: { rename: ModelRenamer | undefined; maxBytes: number }) {
    this.#client = client;
    this.#rename = options.rename;
    this.#maxBytes = options.maxBytes;
  }

  data(chunk: Buffer): Outcome | undefined {
    if (this.#passing) {
      this.#passOn(chunk);
      return undefined;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > this.#maxBytes) {
      this.#passing = true;
      this.#client.startReply();
      this.#passOn(this.#taken());
    }
    return undefined;
  }

  end(): Outcome {
    if (this.#passing) {
      this.#client.end();
      return COMPLETE;
    }
    const body = this.#taken();
    if (saysAborted(body)) return { kind: 'failed', reason: 'aborted' };
    this.usage = usageOf(body);
    this.#client.sendJson(200, body);
    return COMPLETE;
  }

  /** Usage stands behind all choices, but before what may be the most: the logprobs of a prompt. So it may be in any part. */
  #passOn(bytes: Buffer): void {
    this.#client.write(bytes);
    const seen = Buffer.concat([this.#tail, bytes]);
    this.usage = usageOf(seen) ?? this.usage;
    this.#tail = seen.subarray(-OVERLAP_BYTES);
  }

  #taken(): Buffer {
    const bytes = Buffer.concat(this.#held.splice(0));
    return this.#rename === undefined ? bytes : this.#rename(bytes);
  }
}

/** How much of a large answer is looked through again with what follows: a usage with all its details is shorter. */
const OVERLAP_BYTES = 4 * 1024;

/** Most bytes of an engine's error that are read. */
const MAX_ERROR_BYTES = 64 * 1024;

/** An answer with another status than 200. */
export class ErrorReply implements ReplyReader {
  readonly complete = false;
  readonly usage = undefined;
  readonly #status: number;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(status: number) {
    this.#status = status;
  }

  data(chunk: Buffer): Outcome | undefined {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    return this.#heldBytes > MAX_ERROR_BYTES ? this.end() : undefined;
  }

  end(): Outcome {
    return { kind: 'answer', status: this.#status, body: Buffer.concat(this.#held) };
  }
}
