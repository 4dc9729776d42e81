import { KvCache } from './kv-cache.ts';
import { BLOCK_TOKENS, blockHash } from './tokenizer.ts';

/** What bounds the batch and how fast it goes. Times in milliseconds. */
export interface EngineSettings {
  readonly maxNumSeqs: number;
  /** Most tokens computed in one step (vLLM's max_num_batched_tokens). */
  readonly maxNumBatchedTokens: number;
  readonly kvBlocks: number;
  readonly prefixCaching: boolean;
  readonly stepBaseMs: number;
  readonly stepPerContextTokenMs: number;
  readonly prefillTokensPerMs: number;
}

export type FinishReason = 'stop' | 'length' | 'abort' | 'error';

/** One sequence to generate. Its answer is known beforehand; only when each token appears is simulated. */
export interface Sequence {
  readonly id: string;
  readonly promptTokens: readonly string[];
  readonly answerToken: (index: number) => string;
  readonly answerLength: number;
  readonly finishReason: 'stop' | 'length';
}

/** What became of a sequence. Times are `now` values in milliseconds; undefined where it never came that far. */
export interface FinishedSequence {
  readonly id: string;
  readonly reason: FinishReason;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly generatedTokens: number;
  readonly preemptions: number;
  readonly arrivedAt: number;
  readonly scheduledAt: number | undefined;
  readonly firstTokenAt: number | undefined;
  readonly lastTokenAt: number | undefined;
  readonly finishedAt: number;
}

export interface StepResult {
  /** Sequences that got a token, with its index; `previousAt` is when the token before it came. */
  readonly tokens: readonly { id: string; index: number; previousAt: number | undefined }[];
  /** Sequences whose first token this was. */
  readonly first: readonly { waitedMs: number; promptTokens: number; cachedTokens: number }[];
  readonly finished: readonly FinishedSequence[];
  /** Prompt tokens computed in this step, and all tokens computed. */
  readonly prefillTokens: number;
  readonly scheduledTokens: number;
}

interface Running extends Sequence {
  arrivedAt: number;
  scheduledAt: number | undefined;
  firstTokenAt: number | undefined;
  lastTokenAt: number | undefined;
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  generated: number;
  cachedTokens: number;
  preemptions: number;
  /** One entry a block held: the digest of a shared one, undefined for a private one. */
  blocks: (string | undefined)[];
  /** Digests of the blocks computed so far, and of all full blocks that the prefix cache may hold at admission. */
  hashes: string[];
  prefixHashes: string[];
}

interface Scheduled {
  readonly sequence: Running;
  readonly tokens: number;
}

/**
 * Continuous batching as in vLLM's scheduler, in simulated time: each step gives running sequences one token, or the
 * next part of their prompt, within a token budget; then admits waiting ones in order of arrival while seats, budget
 * and KV blocks last. Without a free block for a running sequence the last admitted one is preempted: it gives its
 * blocks back and computes its prompt and answer so far again later.
 *
 * The caller owns the clock: startStep says how long the step takes, finishStep ends it.
 */
export class Engine {
  readonly #settings: EngineSettings;
  readonly #cache: KvCache;
  readonly #waiting: Running[] = [];
  #running: Running[] = [];
  #step: Scheduled[] = [];
  #preemptions = 0;
  #prefixQueries = 0;
  #prefixHits = 0;

  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#cache = new KvCache(settings.kvBlocks, settings.prefixCaching);
  }

  /** Gauges and running totals for /metrics. `kvCacheUsage` is 0 to 1. */
  get load() {
    return {
      running: this.#running.length,
      waiting: this.#waiting.length,
      waitingTokens: this.#waiting.reduce((sum, sequence) => sum + sequence.promptTokens.length, 0),
      kvCacheUsage: this.#cache.usage,
      preemptions: this.#preemptions,
      prefixQueries: this.#prefixQueries,
      prefixHits: this.#prefixHits,
    };
  }

  /** Queues a sequence. Its prompt and answer must fit the KV cache, or it would wait for ever. */
  submit(sequence: Sequence, now: number): void {
    const waiting: Running = {
      ...sequence,
      arrivedAt: now,
      scheduledAt: undefined,
      firstTokenAt: undefined,
      lastTokenAt: undefined,
      computed: 0,
      generated: 0,
      cachedTokens: 0,
      preemptions: 0,
      blocks: [],
      hashes: [],
      prefixHashes: [],
    };
    waiting.prefixHashes = prefixHashes(waiting);
    this.#waiting.push(waiting);
  }

  /** Ends a sequence at once; undefined where it is not known (finished already). */
  abort(id: string, now: number): FinishedSequence | undefined {
    const waiting = this.#waiting.findIndex((sequence) => sequence.id === id);
    if (waiting !== -1) return this.#waiting.splice(waiting, 1).map((sequence) => outcome(sequence, 'abort', now))[0];
    const sequence = this.#running.find((candidate) => candidate.id === id);
    if (sequence === undefined) return undefined;
    this.#leave(sequence);
    return outcome(sequence, 'abort', now);
  }

  /** Ids of all sequences that have not finished. */
  get unfinished(): string[] {
    return [...this.#running, ...this.#waiting].map((sequence) => sequence.id);
  }

  /** Schedules the next step and returns its duration in milliseconds; undefined when there is nothing to do. */
  startStep(now: number): number | undefined {
    this.#step = [];
    let budget = this.#settings.maxNumBatchedTokens;
    const preemptedBefore = this.#preemptions;
    // Preemption replaces #running while this goes through what it was.
    for (const sequence of this.#running) {
      if (!this.#running.includes(sequence)) continue;
      const tokens = Math.min(pending(sequence), budget);
      if (tokens === 0 || !this.#reserve(sequence, tokens)) continue;
      this.#step.push({ sequence, tokens });
      budget -= tokens;
    }
    // A preempted one left the batch, perhaps after it had been scheduled in this step.
    this.#step = this.#step.filter(({ sequence }) => this.#running.includes(sequence));
    if (this.#preemptions === preemptedBefore) this.#admit(budget, now);
    return this.#step.length === 0 ? undefined : this.#duration();
  }

  /** Ends the step that startStep began: sequences whose prompt is computed get one token. */
  finishStep(now: number): StepResult {
    const tokens: { id: string; index: number; previousAt: number | undefined }[] = [];
    const first: { waitedMs: number; promptTokens: number; cachedTokens: number }[] = [];
    const finished: FinishedSequence[] = [];
    let prefillTokens = 0;
    let scheduledTokens = 0;
    for (const { sequence, tokens: count } of this.#step) {
      if (!this.#running.includes(sequence)) continue; // aborted meanwhile
      prefillTokens += Math.max(0, Math.min(sequence.promptTokens.length - sequence.computed, count));
      scheduledTokens += count;
      sequence.computed += count;
      this.#seal(sequence);
      if (pending(sequence) > 0) continue;
      tokens.push({ id: sequence.id, index: sequence.generated, previousAt: sequence.lastTokenAt });
      sequence.generated += 1;
      if (sequence.firstTokenAt === undefined) {
        sequence.firstTokenAt = now;
        const { promptTokens, cachedTokens, arrivedAt } = sequence;
        first.push({ waitedMs: now - arrivedAt, promptTokens: promptTokens.length, cachedTokens });
      }
      sequence.lastTokenAt = now;
      if (sequence.generated < sequence.answerLength) continue;
      this.#leave(sequence);
      finished.push(outcome(sequence, sequence.finishReason, now));
    }
    this.#step = [];
    return { tokens, first, finished, prefillTokens, scheduledTokens };
  }

  /** Step time = base + per token of context in the batch + prompt tokens at the prefill speed. */
  #duration(): number {
    let context = 0;
    let prefill = 0;
    for (const { sequence, tokens } of this.#step) {
      context += sequence.computed + tokens;
      if (tokens > 1) prefill += tokens;
    }
    const { stepBaseMs, stepPerContextTokenMs, prefillTokensPerMs } = this.#settings;
    return stepBaseMs + context * stepPerContextTokenMs + prefill / prefillTokensPerMs;
  }

  #admit(budget: number, now: number): void {
    let left = budget;
    for (let sequence = this.#waiting[0]; sequence !== undefined; sequence = this.#waiting[0]) {
      if (left === 0 || this.#running.length >= this.#settings.maxNumSeqs) return;
      const known = sequence.promptTokens.length + sequence.generated;
      const hits = sequence.prefixHashes.slice(0, this.#cache.match(sequence.prefixHashes));
      const cached = hits.length * BLOCK_TOKENS;
      const tokens = Math.min(known - cached, left);
      const fresh = Math.ceil((cached + tokens) / BLOCK_TOKENS) - hits.length;
      if (fresh + this.#cache.idleAmong(hits) > this.#cache.free) return;
      for (const hash of hits) this.#cache.hold(hash);
      this.#cache.allocate(fresh);
      sequence.blocks = [...hits, ...Array.from({ length: fresh }, () => undefined)];
      sequence.hashes = [...hits];
      sequence.computed = cached;
      if (sequence.scheduledAt === undefined) {
        sequence.scheduledAt = now;
        sequence.cachedTokens = cached;
        this.#prefixQueries += known;
        this.#prefixHits += cached;
      }
      this.#waiting.shift();
      this.#running.push(sequence);
      this.#step.push({ sequence, tokens });
      left -= tokens;
    }
  }

  /** Blocks for `tokens` more; preempts from the end of the batch. False where `sequence` itself had to go. */
  #reserve(sequence: Running, tokens: number): boolean {
    const needed = Math.ceil((sequence.computed + tokens) / BLOCK_TOKENS) - sequence.blocks.length;
    while (!this.#cache.allocate(Math.max(0, needed))) {
      const victim = this.#running.at(-1);
      if (victim === undefined) return false;
      this.#leave(victim);
      victim.computed = 0;
      victim.prefixHashes = prefixHashes(victim);
      victim.preemptions += 1;
      this.#preemptions += 1;
      this.#waiting.unshift(victim);
      if (victim === sequence) return false;
    }
    for (let block = 0; block < needed; block += 1) sequence.blocks.push(undefined);
    return true;
  }

  /** Publishes blocks that have become full, for the next request with the same beginning. */
  #seal(sequence: Running): void {
    const full = Math.floor(sequence.computed / BLOCK_TOKENS);
    for (let block = sequence.hashes.length; block < full; block += 1) {
      const hash = hashOfBlock(sequence, block, sequence.hashes.at(-1));
      sequence.hashes.push(hash);
      if (this.#cache.seal(hash)) sequence.blocks[block] = hash;
    }
  }

  #leave(sequence: Running): void {
    this.#running = this.#running.filter((other) => other !== sequence);
    // From the end, so that the first blocks, which most requests share, are the last to be evicted.
    for (const hash of sequence.blocks.toReversed()) this.#cache.release(hash);
    sequence.blocks = [];
    sequence.hashes = [];
  }
}

/** Tokens known but not yet in the cache: the rest of the prompt, or the newest token of the answer. */
function pending(sequence: Running): number {
  return sequence.promptTokens.length + sequence.generated - sequence.computed;
}

function hashOfBlock(sequence: Running, block: number, previous: string | undefined): string {
  const prompt = sequence.promptTokens;
  const tokens = Array.from({ length: BLOCK_TOKENS }, (_, offset) => {
    const index = block * BLOCK_TOKENS + offset;
    return prompt[index] ?? sequence.answerToken(index - prompt.length);
  });
  return blockHash(previous, tokens);
}

/** Digests of the full blocks known, without the last token: that is always computed, as its logits give the next. */
function prefixHashes(sequence: Running): string[] {
  const full = Math.floor((sequence.promptTokens.length + sequence.generated - 1) / BLOCK_TOKENS);
  const hashes: string[] = [];
  for (let block = 0; block < full; block += 1) hashes.push(hashOfBlock(sequence, block, hashes.at(-1)));
  return hashes;
}

function outcome(sequence: Running, reason: FinishReason, now: number): FinishedSequence {
  return {
    id: sequence.id,
    reason,
    promptTokens: sequence.promptTokens.length,
    cachedTokens: sequence.cachedTokens,
    generatedTokens: sequence.generated,
    preemptions: sequence.preemptions,
    arrivedAt: sequence.arrivedAt,
    scheduledAt: sequence.scheduledAt,
    firstTokenAt: sequence.firstTokenAt,
    lastTokenAt: sequence.lastTokenAt,
    finishedAt: now,
  };
}
