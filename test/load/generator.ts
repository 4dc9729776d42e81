/**
 * Open-loop load: requests arrive by a Poisson process, whether earlier ones were answered or not, so that a service
 * that stalls meets the requests that its users would have sent. Memory does not grow with the length of a run.
 */
import { Agent } from 'node:http';
import { Histogram } from './histogram.ts';
import { nextArrival, seededRandom } from './random.ts';
import type { FailureExample, KindReport, LoadReport, PhaseReport } from './report.ts';
import { sendRequest, type RequestResult, type Target } from './request.ts';

/** What to send where. */
export interface LoadOptions {
  /** Base of the API: `http://HOST:PORT/v1`. */
  baseUrl: string;
  /** Absent: requests carry no Authorization. */
  key?: string;
  model: string;
  /** Requests per second on average. */
  rate: number;
  /** Absent: until stopped. */
  durationSeconds?: number;
  /** Share of requests that stream, 0 to 1. Default 0.5. */
  streamShare?: number;
  /** Of arrivals and kinds; default 1. */
  seed?: number;
  /** Tokens of each answer at most. Default 32. */
  maxTokens?: number;
  /** Fields added to each body. */
  body?: Record<string, unknown>;
  /** A request without an end after this many milliseconds has failed. Default 120,000. */
  timeoutMs?: number;
  /** A whole answer whose first byte took longer is late, in milliseconds. Default 10,000. */
  lateAfterMs?: number;
  /** Requests under way at most; what arrives beyond is not sent and counts as failed. Default 5,000. */
  maxInFlight?: number;
  /** Name of the phase that begins with the run. Default `start`. */
  phase?: string;
}

type Kind = 'unary' | 'stream';

const MAX_EXAMPLES = 20;
/** Reasons are few; this bounds what a service can make of them. */
const MAX_REASONS = 50;

class KindCounts {
  readonly #counts = { ok: 0, failed: 0, cut: 0, late: 0 };
  readonly #firstByte = new Histogram();
  readonly #end = new Histogram();

  count(outcome: 'ok' | 'failed' | 'cut' | 'late'): void {
    this.#counts[outcome] += 1;
  }

  time(firstByteMs: number, endMs: number): void {
    this.#firstByte.record(firstByteMs);
    this.#end.record(endMs);
  }

  report(): KindReport {
    const { ok, failed, cut, late } = this.#counts;
    const [firstByteMs, endMs] = [this.#firstByte.summary(), this.#end.summary()];
    return {
      requests: ok + failed + cut + late,
      ...this.#counts,
      ...(firstByteMs !== undefined && { firstByteMs }),
      ...(endMs !== undefined && { endMs }),
    };
  }
}

class Phase {
  readonly name: string;
  readonly kinds = { unary: new KindCounts(), stream: new KindCounts() };
  seconds = 0;

  constructor(name: string) {
    this.name = name;
  }

  report(): PhaseReport {
    const { name, kinds } = this;
    const seconds = Math.round(this.seconds * 1000) / 1000;
    return { name, seconds, unary: kinds.unary.report(), stream: kinds.stream.report() };
  }
}

export class LoadGenerator {
  readonly #options: Required<Omit<LoadOptions, 'key' | 'durationSeconds'>>;
  readonly #target: Target;
  readonly #random: () => number;
  readonly #phases = new Map<string, Phase>();
  readonly #reasons = new Map<string, number>();
  readonly #examples: FailureExample[] = [];
  readonly #sendLag = new Histogram();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #startedAt = performance.now();
  readonly #endsAt: number;
  readonly #finished = Promise.withResolvers<LoadReport>();
  #phase: Phase;
  #phaseStartedAt = this.#startedAt;
  #nextAt: number;
  #timer: NodeJS.Timeout | undefined;
  #reconnects = 0;
  #stopped = false;

  /** Begins at once. Throws an Error when the base is not an http:// URL or the rate not positive. */
  constructor(options: LoadOptions) {
    const { key, durationSeconds = Infinity, ...given } = options;
    const defaults = { streamShare: 0.5, seed: 1, maxTokens: 32, body: {}, timeoutMs: 120_000, lateAfterMs: 10_000 };
    this.#options = { ...defaults, maxInFlight: 5_000, phase: 'start', ...given };
    const url = new URL(`${options.baseUrl.replace(/\/$/, '')}/chat/completions`);
    if (url.protocol !== 'http:') throw new Error(`The base ${options.baseUrl} must begin with http://.`);
    if (!(options.rate > 0)) throw new Error(`The rate must be above 0, not ${options.rate}.`);
    const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: this.#options.maxInFlight });
    this.#target = { url, key, timeoutMs: this.#options.timeoutMs, agent };
    this.#random = seededRandom(this.#options.seed);
    this.#endsAt = this.#startedAt + durationSeconds * 1000;
    this.#phase = new Phase(this.#options.phase);
    this.#phases.set(this.#phase.name, this.#phase);
    this.#nextAt = this.#startedAt + this.#gapMs();
    this.#schedule();
  }

  /** Resolves when the duration is over or `stop` was called, and every request has its end. */
  get finished(): Promise<LoadReport> {
    return this.#finished.promise;
  }

  /** Requests that arrive from now on count for the phase `name`; naming an earlier one goes on with it. */
  phase(name: string): void {
    this.#endPhase();
    this.#phase = this.#phases.get(name) ?? new Phase(name);
    this.#phases.set(name, this.#phase);
  }

  /** Lets no more requests arrive and returns the report when those under way have ended. */
  async stop(): Promise<LoadReport> {
    this.#finish();
    return await this.finished;
  }

  #gapMs(): number {
    return nextArrival(this.#options.rate, this.#random) * 1000;
  }

  #endPhase(): void {
    const now = performance.now();
    this.#phase.seconds += (now - this.#phaseStartedAt) / 1000;
    this.#phaseStartedAt = now;
  }

  #schedule(): void {
    const now = performance.now();
    while (this.#nextAt <= now && this.#nextAt <= this.#endsAt) {
      this.#arrive(this.#nextAt);
      this.#nextAt += this.#gapMs();
    }
    if (this.#nextAt > this.#endsAt && now >= this.#endsAt) this.#finish();
    else this.#timer = setTimeout(() => this.#schedule(), Math.min(this.#nextAt, this.#endsAt) - now);
  }

  #arrive(at: number): void {
    const kind: Kind = this.#random() < this.#options.streamShare ? 'stream' : 'unary';
    const phase = this.#phase;
    if (this.#inFlight.size >= this.#options.maxInFlight) {
      this.#fail(phase, kind, 'failed', 'not sent', `${this.#inFlight.size} requests were under way`);
      return;
    }
    this.#sendLag.record(performance.now() - at);
    const { model, maxTokens, body } = this.#options;
    const messages = [{ role: 'user', content: 'Tell me something about the sea.' }];
    const text = JSON.stringify({ model, messages, max_tokens: maxTokens, stream: kind === 'stream', ...body });
    const work = sendRequest(this.#target, text, kind === 'stream').then((result) => {
      this.#inFlight.delete(work);
      this.#account(phase, kind, at, result);
    });
    this.#inFlight.add(work);
  }

  #account(phase: Phase, kind: Kind, at: number, result: RequestResult): void {
    const now = performance.now();
    if (result.reconnected) this.#reconnects += 1;
    if (result.outcome !== 'ok') {
      this.#fail(phase, kind, result.outcome, result.reason, result.message, result.requestId);
      return;
    }
    const firstByteMs = (result.firstByteAt ?? now) - at;
    phase.kinds[kind].count(firstByteMs > this.#options.lateAfterMs ? 'late' : 'ok');
    phase.kinds[kind].time(firstByteMs, now - at);
  }

  #fail(phase: Phase, kind: Kind, outcome: 'failed' | 'cut', why: string, message: string, requestId?: string): void {
    phase.kinds[kind].count(outcome);
    const reason = `${outcome}: ${why}`;
    const known = this.#reasons.has(reason) || this.#reasons.size < MAX_REASONS;
    const group = known ? reason : `${outcome}: other`;
    this.#reasons.set(group, (this.#reasons.get(group) ?? 0) + 1);
    if (this.#examples.length >= MAX_EXAMPLES) return;
    const at = new Date().toISOString();
    this.#examples.push({
      at,
      phase: phase.name,
      kind,
      reason,
      message,
      ...(requestId !== undefined && { requestId }),
    });
  }

  #finish(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#endPhase();
    const seconds = (performance.now() - this.#startedAt) / 1000;
    void Promise.all(this.#inFlight).then(() => {
      this.#target.agent.destroy();
      this.#finished.resolve(this.#report(seconds));
    });
  }

  #report(seconds: number): LoadReport {
    const phases = [...this.#phases.values()].map((phase) => phase.report());
    const kinds = phases.flatMap(({ unary, stream }) => [unary, stream]);
    const sum = (field: 'requests' | 'ok' | 'failed' | 'cut' | 'late'): number =>
      kinds.reduce((total, kind) => total + kind[field], 0);
    const sendLagMs = this.#sendLag.summary();
    return {
      seconds: Math.round(seconds * 1000) / 1000,
      requests: sum('requests'),
      ok: sum('ok'),
      failed: sum('failed'),
      cut: sum('cut'),
      late: sum('late'),
      reconnects: this.#reconnects,
      ...(sendLagMs !== undefined && { sendLagMs }),
      reasons: Object.fromEntries(this.#reasons),
      examples: this.#examples,
      phases,
    };
  }
}
