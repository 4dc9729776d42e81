/** Counts what each key uses of each deployment. */
import type { Deployment } from '../types.ts';
import type { UsageLedger } from './ledger.ts';
import type { KeyName, MeterMetrics } from './metrics.ts';
import type { TokenUsage } from './token-usage.ts';

/** `refused`: the engine would not have the request. `left`: its client did not stay for the end of the answer. */
export type RequestOutcome = 'answered' | 'refused' | 'failed' | 'left';

export interface MeteredRequest {
  readonly key: KeyName;
  readonly deployment: Deployment;
  readonly batch: boolean;
}

export interface MeterParts {
  readonly metrics: MeterMetrics;
  /** Where what is used is kept by the hour; undefined where nobody takes it. */
  readonly ledger: UsageLedger | undefined;
  /** In Unix milliseconds; may jump. */
  readonly now: () => number;
}

const NO_TOKENS: TokenUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

export class Meter {
  readonly #parts: MeterParts;
  readonly #underWay = new Set<RequestMeter>();

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  /** Begins to measure a request, which is counted at its end. */
  begin(request: MeteredRequest): RequestMeter {
    const meter = new RequestMeter(request, this.#parts, () => this.#underWay.delete(meter));
    this.#underWay.add(meter);
    return meter;
  }

  /** Counts the tokens that streams have had so far: they may go on for longer than is to be lost in a crash. */
  settle(): void {
    for (const meter of this.#underWay) meter.settle();
  }
}

/** One request while it lasts. */
export class RequestMeter {
  /** Tells the tokens of the answer so far; undefined where nothing is known. They never become fewer. */
  tokens: () => TokenUsage | undefined = () => undefined;
  readonly #request: MeteredRequest;
  readonly #parts: MeterParts;
  readonly #onEnd: () => void;
  readonly #started = performance.now();
  #firstByte: number | undefined;
  #settled = NO_TOKENS;

  constructor(request: MeteredRequest, parts: MeterParts, onEnd: () => void) {
    this.#request = request;
    this.#parts = parts;
    this.#onEnd = onEnd;
  }

  /** The first byte of an answer came. */
  firstByte(): void {
    this.#firstByte = performance.now();
  }

  /** An attempt failed of which the client got nothing: neither its first byte nor its tokens count. */
  discardAttempt(): void {
    this.#firstByte = undefined;
    this.tokens = () => undefined;
  }

  /** Counts the tokens since this was called last; those of a batch's request wait for its end, which may not count. */
  settle(): void {
    if (!this.#request.batch) this.#addTokens();
  }

  /** Counts the request; once. */
  end(outcome: RequestOutcome): void {
    this.#onEnd();
    const { key, batch } = this.#request;
    // Whoever runs the batch sends these again, also after its process was gone in between: it is one request however often it
    // is tried.
    if (batch && (outcome === 'failed' || outcome === 'left')) return;
    this.#addTokens();
    const answered = this.#firstByte !== undefined && outcome !== 'refused';
    const latencyMs = Math.round(performance.now() - this.#started);
    const firstTokenMs = answered ? Math.round((this.#firstByte ?? 0) - this.#started) : 0;
    const failed = outcome === 'failed' || outcome === 'refused';
    this.#parts.metrics.finished(key, { outcome: failed ? 'failed' : outcome, firstTokenMs, latencyMs });
    this.#parts.ledger?.add(
      this.#request,
      { requests: 1, failedRequests: failed ? 1 : 0, answeredRequests: answered ? 1 : 0, firstTokenMs, latencyMs },
      this.#parts.now(),
    );
  }

  #addTokens(): void {
    const tokens = this.tokens();
    if (tokens === undefined) return;
    const more = minus(tokens, this.#settled);
    this.#settled = tokens;
    if (more.promptTokens + more.cachedTokens + more.completionTokens === 0) return;
    const { key, deployment, batch } = this.#request;
    this.#parts.metrics.used(key, deployment, batch ? 'batch' : 'online', more);
    this.#parts.ledger?.add(this.#request, more, this.#parts.now());
  }
}

/** What there is more; an engine that would tell fewer tokens than before takes none back. */
function minus(tokens: TokenUsage, before: TokenUsage): TokenUsage {
  return {
    promptTokens: Math.max(0, tokens.promptTokens - before.promptTokens),
    cachedTokens: Math.max(0, tokens.cachedTokens - before.cachedTokens),
    completionTokens: Math.max(0, tokens.completionTokens - before.completionTokens),
  };
}
