/**
 * One replica with continuous batching, as a fluid that all its requests share: every step gives each decoding request
 * a token, and how long steps take follows from who is there. Something happens only when a request comes, when a chunk
 * of prefill ends and when a request ends; between these, steps are counted by solving for them.
 *
 * A request's whole length in KV cache is reserved when it is admitted, so that none is ever preempted. vLLM reserves as
 * a request grows and preempts the last where that fails; the two differ by about half an output per request, and one
 * that computes its prompt twice is no faster for having begun early.
 */
import type { EngineModel } from './engine-model.ts';
import { MinHeap } from './heap.ts';

/** The requests of a simulation, by number: their sizes, and what came of them. Times that were not reached are NaN. */
export interface Journal {
  promptTokens: Int32Array;
  outputTokens: Int32Array;
  firstTokenAtMs: Float64Array;
  endedAtMs: Float64Array;
}

/** What a replica did since it was last asked. */
export interface ReplicaCounters {
  /** Requests in the batch, integrated over time. */
  runningMs: number;
  promptTokens: number;
  generatedTokens: number;
}

/** What one did until a moment, and what it holds then. */
interface ReplicaTotals extends ReplicaCounters {
  cachedTokens: number;
}

/** Steps are sums of many fractions; what differs by less than this is the same step. */
const SAME_STEP = 1e-6;

export class Replica {
  /** When something happens next; Infinity where nothing will. */
  nextMs = Infinity;
  /** Given to it and not ended. */
  inFlight = 0;
  /** Which of the fleet's replicas, past ones included, this is. */
  readonly number: number;
  readonly #engine: EngineModel;
  readonly #journal: Journal;
  readonly #ended: (request: number, nowMs: number) => void;
  #nowMs: number;
  /** Steps since the beginning, and how many to what happens next. */
  #steps = 0;
  #nextSteps = 0;
  /** By the step after which they end. */
  readonly #decoding = new MinHeap();
  /** Tokens of the decoding requests so far. */
  #contextTokens = 0;
  /** Not begun, in order, from #waitingFrom on. */
  #waiting: number[] = [];
  #waitingFrom = 0;
  /** Prefill at work: requests whose prompt is through at its end, prompt tokens in each step, 0 for none, and steps to go. */
  #chunkRequests: number[] = [];
  #chunkTokens = 0;
  #chunkSteps = 0;
  /** The request that has been prefilled in part, or -1, and the tokens that it still needs after this chunk. */
  #partial = -1;
  #partialTokens = 0;
  /** Admitted requests, and the cache that is reserved for them and used by prompts not through yet. */
  #seated = 0;
  #reservedTokens = 0;
  #prefillingTokens = 0;
  /** As of #nowMs, and what was told of them. */
  #runningMs = 0;
  #promptTokens = 0;
  #generatedTokens = 0;
  #told: ReplicaCounters = { runningMs: 0, promptTokens: 0, generatedTokens: 0 };

  constructor(
    number: number,
    engine: EngineModel,
    journal: Journal,
    nowMs: number,
    ended: (request: number, nowMs: number) => void,
  ) {
    this.number = number;
    this.#engine = engine;
    this.#journal = journal;
    this.#nowMs = nowMs;
    this.#ended = ended;
  }

  /** Requests of which no token has been prefilled: what vLLM calls waiting. */
  get waiting(): number {
    return this.#waiting.length - this.#waitingFrom;
  }

  /** Returns the share of the KV cache that holds tokens, 0 to 1. */
  kvCacheUsage(nowMs: number): number {
    return Math.min(1, this.#totals(nowMs).cachedTokens / this.#engine.kvCacheTokens);
  }

  /** Calls `visit` for each request that is here. */
  forEachRequest(visit: (request: number) => void): void {
    for (const request of this.#decoding.values) visit(request);
    for (const request of this.#chunkRequests) visit(request);
    if (this.#partial >= 0) visit(this.#partial);
    for (let at = this.#waitingFrom; at < this.#waiting.length; at++) visit(this.#waiting[at] as number);
  }

  /** Takes a request. */
  give(request: number, nowMs: number): void {
    this.inFlight++;
    this.#waiting.push(request);
    // It waits for the end of the chunk, or for a seat.
    if (this.#chunkTokens > 0 || !this.#hasRoom(request)) return;
    this.#advance(this.#stepsUntil(nowMs), nowMs);
    this.#beginChunk();
    this.#planNext();
  }

  /** Does what is due at `nextMs`. */
  run(): void {
    const nowMs = this.nextMs;
    this.#advance(this.#nextSteps, nowMs);
    if (this.#chunkTokens > 0 && this.#chunkSteps <= SAME_STEP) this.#endChunk(nowMs);
    while (this.#decoding.leastKey <= this.#steps + SAME_STEP) this.#end(this.#decoding.pop(), nowMs);
    if (this.#chunkTokens === 0) this.#beginChunk();
    this.#planNext();
  }

  /** Returns what it did since this was last called. */
  takeCounters(nowMs: number): ReplicaCounters {
    const now = this.#totals(nowMs);
    const before = this.#told;
    this.#told = now;
    return {
      runningMs: now.runningMs - before.runningMs,
      promptTokens: now.promptTokens - before.promptTokens,
      generatedTokens: now.generatedTokens - before.generatedTokens,
    };
  }

  /** Without advancing: a look must not change the rounding, or a plan would not replay what the policy did. */
  #totals(nowMs: number): ReplicaTotals {
    const steps = this.#stepsUntil(nowMs);
    const tokens = steps * this.#decoding.size;
    return {
      runningMs: this.#runningMs + this.#seated * (nowMs - this.#nowMs),
      promptTokens: this.#promptTokens + steps * this.#chunkTokens,
      generatedTokens: this.#generatedTokens + tokens,
      cachedTokens: this.#contextTokens + tokens + this.#prefillingTokens,
    };
  }

  /** The time of the step at hand. */
  #stepMs(): number {
    const { baseMs, perContextTokenMs, perPromptTokenMs } = this.#engine;
    return baseMs + this.#chunkTokens * perPromptTokenMs + this.#contextTokens * perContextTokenMs;
  }

  /** By how much each step is longer than the one before: every decoding request has a token more. */
  #growthMs(): number {
    return this.#decoding.size * this.#engine.perContextTokenMs;
  }

  /** The steps from the last event to a moment before the next. */
  #stepsUntil(nowMs: number): number {
    const elapsedMs = nowMs - this.#nowMs;
    if (elapsedMs <= 0 || this.nextMs === Infinity) return 0;
    // s steps take s · step + s² · growth / 2.
    const stepMs = this.#stepMs();
    const steps = (2 * elapsedMs) / (stepMs + Math.sqrt(stepMs * stepMs + 2 * this.#growthMs() * elapsedMs));
    return Math.min(steps, this.#nextSteps);
  }

  #advance(steps: number, nowMs: number): void {
    const tokens = steps * this.#decoding.size;
    this.#runningMs += this.#seated * (nowMs - this.#nowMs);
    this.#promptTokens += steps * this.#chunkTokens;
    this.#generatedTokens += tokens;
    this.#contextTokens += tokens;
    this.#steps += steps;
    this.#nextSteps -= steps;
    this.#chunkSteps -= steps;
    this.#nowMs = nowMs;
  }

  #planNext(): void {
    const toEnd = this.#decoding.leastKey - this.#steps;
    const steps = this.#chunkTokens > 0 ? Math.min(toEnd, this.#chunkSteps) : toEnd;
    this.#nextSteps = Math.max(0, steps);
    this.nextMs = steps === Infinity ? Infinity : this.#nowMs + this.#durationMs(this.#nextSteps);
  }

  #durationMs(steps: number): number {
    return steps * (this.#stepMs() + (steps * this.#growthMs()) / 2);
  }

  #hasRoom(request: number): boolean {
    if (this.#seated === 0) return true;
    const { seats, kvCacheTokens } = this.#engine;
    return this.#seated < seats && this.#reservedTokens + this.#lengthOf(request) <= kvCacheTokens;
  }

  #lengthOf(request: number): number {
    return (this.#journal.promptTokens[request] as number) + (this.#journal.outputTokens[request] as number);
  }

  /** Takes the first that waits to be the partial one. Returns whether there is one now. */
  #admit(): boolean {
    if (this.waiting === 0) return false;
    const request = this.#waiting[this.#waitingFrom] as number;
    if (!this.#hasRoom(request)) return false;
    this.#waitingFrom++;
    if (this.#waitingFrom === this.#waiting.length) {
      this.#waiting = [];
      this.#waitingFrom = 0;
    }
    this.#seated++;
    this.#reservedTokens += this.#lengthOf(request);
    this.#partial = request;
    this.#partialTokens = this.#journal.promptTokens[request] as number;
    this.#prefillingTokens += this.#partialTokens;
    return true;
  }

  /** Begins the next prefill: the whole steps that one long prompt fills, or one step with the ends of several. */
  #beginChunk(): void {
    const budget = Math.max(1, this.#engine.batchedTokens - this.#decoding.size);
    if (this.#partial < 0 && !this.#admit()) return;
    this.#chunkSteps = Math.max(1, Math.floor(this.#partialTokens / budget));
    if (this.#partialTokens >= budget) {
      this.#chunkTokens = budget;
      this.#partialTokens -= this.#chunkSteps * budget;
      if (this.#partialTokens === 0) this.#finishPartial();
      return;
    }
    let room = budget;
    do {
      const tokens = Math.min(room, this.#partialTokens);
      room -= tokens;
      this.#partialTokens -= tokens;
      if (this.#partialTokens === 0) this.#finishPartial();
    } while (room > 0 && this.#admit());
    this.#chunkTokens = budget - room;
  }

  #finishPartial(): void {
    this.#chunkRequests.push(this.#partial);
    this.#partial = -1;
  }

  #endChunk(nowMs: number): void {
    const through = this.#chunkRequests;
    this.#chunkRequests = [];
    this.#chunkTokens = 0;
    this.#generatedTokens += through.length;
    for (const request of through) {
      const promptTokens = this.#journal.promptTokens[request] as number;
      this.#prefillingTokens -= promptTokens;
      this.#contextTokens += promptTokens + 1;
      this.#journal.firstTokenAtMs[request] = nowMs;
      this.#decoding.push(this.#steps + (this.#journal.outputTokens[request] as number) - 1, request);
    }
  }

  #end(request: number, nowMs: number): void {
    const tokens = this.#lengthOf(request);
    this.#seated--;
    this.#reservedTokens -= tokens;
    // Without the rounding of many fractions once it is idle.
    this.#contextTokens = this.#decoding.size === 0 ? 0 : this.#contextTokens - tokens;
    this.#journal.endedAtMs[request] = nowMs;
    this.inFlight--;
    this.#ended(request, nowMs);
  }
}
