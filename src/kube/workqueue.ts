/** A queue of keys for level-triggered work. */
import { setMaxListeners } from 'node:events';
import { retryDelay } from './backoff.ts';
import type { BackoffLimits } from './backoff.ts';
import { ApiError, TerminalError, WritesEnded, describeError, isConflict } from './errors.ts';
import type { KubeMetrics } from './metrics.ts';
import { KeyTimers } from './key-timers.ts';
import type { Logger } from './types.ts';

export interface ProcessResult {
  /** To be run again after this long. */
  requeueAfterMs?: number;
  /** The pass did not get to try, and says nothing about earlier failures: their back-off goes on where it was. */
  untried?: boolean;
}

export interface WorkQueueOptions {
  name: string;
  workers: number;
  /**
   * One pass over a key. A throw is retried with backoff (TerminalError: not at all, until the key is added again).
   * `signal` aborts when `stop` has waited long enough.
   */
  // eslint-disable-next-line typescript/no-invalid-void-type -- a pass without a result is written as an async function without return
  process: (key: string, signal: AbortSignal) => Promise<ProcessResult | void>;
  backoff?: BackoffLimits;
  logger: Logger;
  metrics?: KubeMetrics;
}

const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 200, maxMs: 60_000 };

/**
 * Runs `process` for keys: never the same key twice at once, a key added many times while it waits runs once, and a
 * key added while it runs runs once more. The key carries no event: a pass looks at the state as it is.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #backoff: BackoffLimits;
  /** Keys in the order in which they will run, with the time at which they were added. */
  readonly #waiting = new Map<string, number>();
  readonly #processing = new Map<string, Promise<void>>();
  /** Keys added while they were running. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** What passes asked for (retries and `requeueAfterMs`); a new pass of the key replaces it. */
  readonly #requeues = new KeyTimers((key) => this.add(key));
  /** What callers asked for by `addAfter`. */
  readonly #delayed = new KeyTimers((key) => this.add(key));
  readonly #abort = new AbortController();
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    setMaxListeners(0, this.#abort.signal);
  }

  /** Keys waiting to run, without those running or delayed. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Runs the key as soon as a worker is free. */
  add(key: string): void {
    if (this.#state === 'stopped') return;
    if (this.#processing.has(key)) this.#again.add(key);
    else if (!this.#waiting.has(key)) this.#waiting.set(key, performance.now());
    this.#pump();
  }

  /** Adds the key after `ms`; where it is already to be added earlier, that stays. */
  addAfter(key: string, ms: number): void {
    if (this.#state === 'stopped') return;
    if (ms <= 0) this.add(key);
    else this.#delayed.setEarlier(key, ms);
  }

  /** Starts the workers; keys added before wait for this. */
  start(): void {
    if (this.#state === 'new') this.#state = 'running';
    this.#pump();
  }

  /**
   * Starts no more passes and waits for those that run; after `graceMs` their signal is aborted, and this returns
   * without waiting longer.
   */
  async stop(graceMs: number): Promise<void> {
    this.#state = 'stopped';
    this.#requeues.clear();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    this.#options.metrics?.queueDepth.set({ queue: this.#options.name }, 0);
    if (this.#processing.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const graceOver = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(this.#processing.values()), graceOver]);
    clearTimeout(timer);
    this.#abort.abort(new Error(`the queue ${this.#options.name} was stopped`));
  }

  #pump(): void {
    while (this.#state === 'running' && this.#processing.size < this.#options.workers) {
      const next = this.#waiting.entries().next();
      if (next.done === true) break;
      const [key, addedAt] = next.value;
      this.#waiting.delete(key);
      this.#requeues.cancel(key);
      this.#options.metrics?.queueSeconds.observe({ queue: this.#options.name }, (performance.now() - addedAt) / 1000);
      this.#processing.set(key, this.#run(key));
    }
    this.#options.metrics?.queueDepth.set({ queue: this.#options.name }, this.#waiting.size);
  }

  async #run(key: string): Promise<void> {
    const startedAt = performance.now();
    // A process function that throws before its first await must not throw into add().
    await Promise.resolve();
    let requeueMs: number | undefined;
    try {
      const result = await this.#options.process(key, this.#abort.signal);
      if (result?.untried !== true) this.#failures.delete(key);
      requeueMs = result?.requeueAfterMs;
    } catch (error) {
      requeueMs = this.#failed(key, error);
    }
    this.#options.metrics?.workSeconds.observe({ queue: this.#options.name }, (performance.now() - startedAt) / 1000);
    this.#processing.delete(key);
    if (this.#state === 'stopped') return;
    if (requeueMs !== undefined) this.#requeues.setEarlier(key, Math.max(requeueMs, 1));
    if (this.#again.delete(key)) this.#waiting.set(key, performance.now());
    this.#pump();
  }

  /** Logs the failure and returns after how many milliseconds to retry; undefined for never. */
  #failed(key: string, error: unknown): number | undefined {
    const { logger, metrics, name } = this.#options;
    if (error instanceof WritesEnded || this.#abort.signal.aborted) {
      logger.info({ queue: name, key }, 'pass ended: this process no longer leads, or stops');
      return undefined;
    }
    if (error instanceof TerminalError) {
      this.#failures.delete(key);
      logger.warn(
        { queue: name, key, error: describeError(error) },
        'pass failed; not retried until something changes',
      );
      return undefined;
    }
    const attempt = this.#failures.get(key) ?? 0;
    this.#failures.set(key, attempt + 1);
    const delayMs = retryDelay(attempt, this.#backoff, error instanceof ApiError ? error.retryAfterMs : undefined);
    metrics?.queueRetries.inc({ queue: name });
    const fields = {
      queue: name,
      key,
      attempt: attempt + 1,
      retryMs: Math.round(delayMs),
      error: describeError(error),
    };
    // A conflict is the normal end of a pass on a state that was already old.
    if (isConflict(error)) logger.info(fields, 'pass met a conflict; retrying');
    else logger.warn(fields, 'pass failed; retrying');
    return delayMs;
  }
}
