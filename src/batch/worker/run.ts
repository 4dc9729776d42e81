/** Sends the requests of one batch, and puts what comes back into parts. */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { retryDelay } from '../../kube/backoff.ts';
import { GatewaysUnavailable } from '../gateway.ts';
import type { Answer, BatchGateways, OnBehalf } from '../gateway.ts';
import type { WorkerClock } from './access.ts';
import type { InputReader } from './input-reader.ts';
import type { Rider, Room } from './lanes.ts';
import type { LineIndex } from './line-index.ts';
import type { PartWriter } from './parts.ts';
import { persistently } from './persistence.ts';
import { answerResult, errorResult } from './result-lines.ts';
import type { Result } from './result-lines.ts';
import { NO_TRIES, judgeAnswer } from './retry.ts';
import type { Tries, Verdict } from './retry.ts';
import type { Troubles } from './troubles.ts';

export interface RunOptions {
  readonly onBehalf: OnBehalf;
  readonly endpoint: string;
  readonly lines: LineIndex;
  readonly input: InputReader;
  /** Ids of the requests that have a result already. */
  readonly done: ReadonlySet<string>;
  readonly gateways: Pick<BatchGateways, 'send'>;
  readonly rider: Rider;
  readonly parts: PartWriter;
  readonly troubles: Troubles;
  readonly clock: WorkerClock;
  /** Nothing new is sent once it has aborted; what is in flight is finished. */
  readonly noMore: AbortSignal;
  /** What is in flight is given up once it has aborted; `noMore` has then, too. */
  readonly cut: AbortSignal;
  readonly onResult: (result: Result) => void;
}

const BACKOFF = { baseMs: 1000, maxMs: 60_000 };

/** A key or model that is gone may come back: whoever replaces one removes it first. */
const MISSING = { patienceMs: 600_000, retryMs: 10_000 };

/** Lines written together where requests are given up. */
const GIVEN_UP_TOGETHER = 1000;

const BAD_GATEWAY = 'Engines or what is before them answer 502; requests are sent again until they get through.';

/**
 * Requests that wait to be tried again, from which on no further lines are sent: then it is not the requests' fault, and
 * others would fare no better.
 */
const MOST_WAITING = 100;

/** A request that has room for one try. */
interface Ready {
  readonly body: Buffer;
  readonly room: Room;
}

/** What one try came to. */
interface Outcome {
  readonly verdict: Verdict;
  /** Undefined where no gateway answered. */
  readonly answer?: Answer;
}

export class RequestRun {
  readonly #options: RunOptions;
  readonly #done: Uint8Array;
  readonly #failed = new AbortController();
  readonly #noMore: AbortSignal;
  /** Requests that wait to be tried again. */
  readonly #waiting = new Set<Promise<unknown>>();
  #inputGone = false;
  #answered = 0;
  /** By the monotonic clock; undefined while nothing is missing. */
  #missingSinceMs: number | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#done = Uint8Array.from(options.lines.customIds, (id) => (options.done.has(id) ? 1 : 0));
    this.#noMore = AbortSignal.any([options.noMore, this.#failed.signal]);
    setMaxListeners(0, this.#noMore);
  }

  /**
   * Sends the requests without a result, in order, until `noMore` aborts. Returns, when nothing is in flight any more, whether
   * the input was there to the end. Throws what the store throws but for being full or away.
   */
  async send(): Promise<'sent' | 'input-gone'> {
    const begun = new Set<Promise<void>>();
    try {
      await this.#sendAll(begun);
    } finally {
      await Promise.all(begun);
    }
    this.#failed.signal.throwIfAborted();
    return this.#inputGone ? 'input-gone' : 'sent';
  }

  /** Writes an error for each request without a result. */
  async giveUp(code: string, message: string): Promise<void> {
    let together: Promise<void>[] = [];
    for (let index = 0; index < this.#done.length; index += 1) {
      if (this.#done[index] === 1) continue;
      const { customId } = this.#options.lines.at(index);
      together.push(this.#keep(index, errorResult(requestId(), customId, code, message)));
      if (together.length < GIVEN_UP_TOGETHER) continue;
      await Promise.all(together);
      together = [];
    }
    await Promise.all(together);
  }

  async #sendAll(begun: Set<Promise<void>>): Promise<void> {
    const { lines, input } = this.#options;
    for (let index = 0; index < lines.size; index += 1) {
      if (this.#done[index] === 1) continue;
      while (this.#waiting.size >= MOST_WAITING) await Promise.race(this.#waiting);
      const ready = await this.#prepare(index, async () => await input.body(index));
      if (ready === undefined) return;
      const work = this.#work(index, ready)
        .catch((error: unknown) => this.#failed.abort(error))
        .finally(() => begun.delete(work));
      begun.add(work);
    }
  }

  /** Waits for room for one try of a request, and then reads it; returns undefined where it is not to be sent any more. */
  async #prepare(index: number, read: () => Promise<Buffer | undefined>): Promise<Ready | undefined> {
    const { rider, lines, troubles } = this.#options;
    const noMore = this.#noMore;
    let room: Room | undefined;
    try {
      room = await rider.acquire(lines.at(index).length, noMore);
      const body = await persistently(read, (trouble) => troubles.set('input', trouble), noMore);
      // Room may come in the same turn of the event loop in which the signal aborts.
      if (body !== undefined && !noMore.aborted) return { body, room };
      this.#inputGone ||= body === undefined;
      room.giveBack();
      return undefined;
    } catch (error) {
      room?.giveBack();
      if (noMore.aborted) return undefined;
      throw error;
    }
  }

  /** Resolves when the request has its result in a part, or is not to be sent any more. */
  async #work(index: number, first: Ready): Promise<void> {
    let ready: Ready | undefined = first;
    let tries = NO_TRIES;
    for (let attempt = 0; ready !== undefined; attempt += 1) {
      const again = await this.#attempt(index, ready, tries, attempt).finally(ready.room.giveBack);
      if (again === undefined) return;
      ({ tries } = again);
      ready = await this.#prepareAgain(index, again.afterMs);
    }
  }

  /** As `#prepare`, after a pause: until then others have the room, and nothing of the request is in memory. */
  async #prepareAgain(index: number, afterMs: number): Promise<Ready | undefined> {
    const { clock, input } = this.#options;
    const prepared = clock
      .pause(afterMs, this.#noMore)
      .then(async () => await this.#prepare(index, async () => await input.bodyAlone(index)))
      .finally(() => this.#waiting.delete(prepared));
    this.#waiting.add(prepared);
    return await prepared;
  }

  /** Returns how the request is tried again; undefined where it has its result in a part, or was cut off. */
  async #attempt(
    index: number,
    { body, room }: Ready,
    tries: Tries,
    attempt: number,
  ): Promise<{ tries: Tries; afterMs: number } | undefined> {
    const { lines, rider } = this.#options;
    const outcome = await this.#try(body, tries, retryDelay(attempt, BACKOFF));
    if (outcome === undefined) return undefined;
    const { verdict, answer } = outcome;
    if (answer && (verdict.kind === 'result' || (verdict.kind === 'missing' && this.#missedForTooLong()))) {
      const result = answerResult(requestId(), lines.at(index).customId, answer);
      if (result.kind === 'output') this.#answered += 1;
      room.answered();
      await this.#keep(index, result);
      if (result.kind === 'output') rider.finished();
      return undefined;
    }
    rider.failed();
    return verdict.kind === 'again' ? verdict : { tries, afterMs: MISSING.retryMs };
  }

  /** Sends the request once; returns undefined where it was cut off. */
  async #try(body: Buffer, tries: Tries, backoffMs: number): Promise<Outcome | undefined> {
    const { gateways, onBehalf, endpoint, cut, troubles } = this.#options;
    try {
      const answer = await gateways.send(onBehalf, endpoint, body, cut);
      const verdict = judgeAnswer(answer, tries, this.#answered, backoffMs);
      troubles.set('gateways', answer.status === 502 ? BAD_GATEWAY : undefined);
      this.#noteMissing(verdict);
      return { verdict, answer };
    } catch (error) {
      if (cut.aborted) return undefined;
      if (!(error instanceof GatewaysUnavailable)) throw error;
      troubles.set('gateways', 'No gateway can be reached; requests are sent once one can.');
      return { verdict: { kind: 'again', tries, afterMs: backoffMs } };
    }
  }

  #noteMissing(verdict: Verdict): void {
    const { troubles, clock, onBehalf } = this.#options;
    if (verdict.kind !== 'missing') {
      this.#missingSinceMs = undefined;
      troubles.set('missing', undefined);
      return;
    }
    this.#missingSinceMs ??= clock.monotonic();
    const what =
      verdict.what === 'key'
        ? `The APIKey ${onBehalf.key} does not exist any more, is disabled or over, or lacks the scope files`
        : 'The model of the batch does not exist any more, or the key may not use it';
    troubles.set('missing', `${what}; change that within 10 minutes, or the requests that are left fail.`);
  }

  #missedForTooLong(): boolean {
    const since = this.#missingSinceMs;
    return since !== undefined && this.#options.clock.monotonic() - since >= MISSING.patienceMs;
  }

  async #keep(index: number, result: Result): Promise<void> {
    const { parts, onResult } = this.#options;
    await parts.add(result);
    this.#done[index] = 1;
    onResult(result);
  }
}

function requestId(): string {
  return `batch_req_${randomBytes(16).toString('hex')}`;
}
