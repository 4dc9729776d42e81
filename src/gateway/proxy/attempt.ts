import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { LOAD_REQUEST_HEADER, LOAD_RESPONSE_HEADER } from '../engine/load-header.ts';
import type { GatewayLimits } from '../limits.ts';
import type { ShownUsage } from '../metering/stream-options.ts';
import { StreamUsage } from '../metering/stream-usage.ts';
import type { TokenUsage } from '../metering/token-usage.ts';
import type { ClientResponse } from './client-response.ts';
import { modelRenamer } from './model-name.ts';
import { ErrorReply, StreamReply, WholeReply, type Outcome, type ReplyReader } from './reply-readers.ts';

export interface UpstreamRequest {
  readonly origin: string;
  /** Of the engine's route: `/v1/chat/completions`. */
  readonly path: string;
  readonly body: Buffer;
  readonly stream: boolean;
  readonly requestId: string;
  /** The engine's name of the model and the client's. */
  readonly engineModel: string;
  readonly clientModel: string;
  /** Of a stream: what its client is shown of the usage that it tells. */
  readonly shownUsage: ShownUsage;
  /** Choices asked for of each prompt. */
  readonly choicesPerPrompt: number;
}

type Limits = Pick<
  GatewayLimits,
  'firstByteTimeoutMs' | 'unaryTimeoutMs' | 'chunkTimeoutMs' | 'bufferedReplyBytes' | 'eventBytes'
>;

const IGNORE = (): void => {};

/** Codes of errors that came before a connection stood. */
const CONNECT_ERRORS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
]);

/** One request to one replica. It ends by itself, by cancel(), or when its client goes; `outcome` never rejects. */
export class Attempt implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Outcome>;
  /** Called once, with the first bytes of the answer's body. */
  onFirstByte: () => void = () => {};
  /** What the head of the answer says of the engine's load. */
  loadHeader: string | undefined;
  readonly #settle: (outcome: Outcome) => void;
  readonly #request: UpstreamRequest;
  readonly #client: ClientResponse;
  readonly #limits: Limits;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  #reader: ReplyReader | undefined;
  #begun = false;
  #timer: NodeJS.Timeout;

  constructor(dispatcher: Dispatcher, request: UpstreamRequest, client: ClientResponse, limits: Limits) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#request = request;
    this.#client = client;
    this.#limits = limits;
    const { stream } = request;
    this.#timer = setTimeout(
      () => this.cancel({ kind: 'failed', reason: stream ? 'first_byte_timeout' : 'timeout' }),
      stream ? limits.firstByteTimeoutMs : limits.unaryTimeoutMs,
    );
    client.onDrain = () => this.#controller?.resume();
    client.onEnd = () => this.cancel({ kind: 'client-gone' });
    if (client.ended !== undefined) {
      this.cancel({ kind: 'client-gone' });
      return;
    }
    try {
      dispatcher.dispatch(
        {
          origin: request.origin,
          path: request.path,
          method: 'POST',
          // All that the engine gets of the client's head: nothing. Its Authorization is the gateway's affair.
          headers: {
            [LOAD_REQUEST_HEADER]: 'json',
            'content-type': 'application/json',
            accept: stream ? 'text/event-stream' : 'application/json',
            'x-request-id': request.requestId,
          },
          body: request.body,
        },
        this,
      );
    } catch {
      // An origin that is no URL, or a dispatcher that is closed.
      this.#finish({ kind: 'failed', reason: 'connect' });
    }
  }

  /** The tokens that the engine has told so far; undefined where it has told none. */
  get usage(): TokenUsage | undefined {
    return this.#reader?.usage;
  }

  /** Ends the attempt with this outcome and closes its connection, which makes the engine abort its work. */
  cancel(outcome: Outcome): void {
    if (this.#settled) return;
    this.#finish(outcome);
    this.#controller?.abort(new Error('cancelled'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error('cancelled'));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#settled || status < 200) return;
    const load = headers[LOAD_RESPONSE_HEADER];
    if (typeof load === 'string') this.loadHeader = load;
    const { stream, engineModel, clientModel, shownUsage: shown, choicesPerPrompt } = this.#request;
    const { eventBytes, bufferedReplyBytes } = this.#limits;
    if (status !== 200) {
      this.#reader = new ErrorReply(status);
      return;
    }
    const rename = modelRenamer(engineModel, clientModel);
    if (stream) {
      this.#client.startStream();
      this.#reader = new StreamReply(this.#client, {
        rename,
        maxEventBytes: eventBytes,
        usage: new StreamUsage({ shown, choicesPerPrompt }),
      });
    } else {
      this.#reader = new WholeReply(this.#client, { rename, maxBytes: bufferedReplyBytes });
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    if (this.#begun) {
      this.#timer.refresh();
    } else {
      this.#begin();
    }
    const outcome = this.#reader?.data(chunk);
    if (outcome !== undefined) {
      this.cancel(outcome);
    } else if (this.#client.blocked) {
      controller.pause();
    }
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    this.#finish(this.#reader?.end() ?? { kind: 'failed', reason: 'malformed' });
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#settled) return;
    const code = String((error as { code?: unknown }).code);
    if (CONNECT_ERRORS.has(code) && this.#reader === undefined) {
      this.#finish({ kind: 'failed', reason: 'connect' });
    } else {
      this.#finish({ kind: 'failed', reason: code.startsWith('HPE_') ? 'malformed' : 'reset' });
    }
  }

  #begin(): void {
    this.#begun = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // While the client is slow to read nothing is asked of the engine.
      if (this.#controller?.paused) this.#timer.refresh();
      else this.cancel({ kind: 'failed', reason: 'timeout' });
    }, this.#limits.chunkTimeoutMs);
    // An engine's error is no answer, and may be followed by another attempt.
    if (!(this.#reader instanceof ErrorReply)) this.onFirstByte();
  }

  #finish(ended: Outcome): void {
    // After [DONE] a connection that breaks or lingers is no failure, and an error event would come behind it.
    const whole = ended.kind === 'failed' && this.#reader?.complete === true;
    const outcome = whole && this.#reader ? this.#reader.end() : ended;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#client.onEnd = IGNORE;
    this.#client.onDrain = IGNORE;
    this.#settle(outcome);
  }
}
