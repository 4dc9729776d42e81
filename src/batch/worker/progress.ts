/** What a running batch shows of itself: counts, what keeps it, and how many replicas it needs. */
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import type { WorkerClock } from './access.ts';
import { isSealed } from './finalise.ts';
import { neededReplicas } from './needed-replicas.ts';
import type { Pace, Work } from './needed-replicas.ts';
import { addUsage } from './result-lines.ts';
import type { Result } from './result-lines.ts';
import type { Results } from './seal.ts';
import { enterState, stateOf, windowEnd } from './state.ts';
import type { StatusWriter } from './status-writer.ts';
import type { Troubles } from './troubles.ts';

/** However many batches there are, the API server is to feel nothing of it. */
const EVERY_MS = 10_000;

/** What is said while nothing is in the way. */
export const RUNNING = 'Requests are sent while online requests leave room for them.';
export const CANCELLING = 'What is in flight is finished, the rest is not sent.';

export interface ProgressOptions {
  readonly status: StatusWriter;
  readonly clock: WorkerClock;
  readonly logger: Logger;
  readonly troubles: Troubles;
  /** Of earlier claims. */
  readonly before: Pick<Results, 'requests' | 'usage'>;
  /** Requests of the input. */
  readonly total: number;
  /** Returns how the deployment gets on. */
  readonly pace: () => Pace;
  /** Returns what else is to be done on the deployment. */
  readonly otherWork: () => readonly Work[];
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #stop = new AbortController();
  #writing: Promise<void> = Promise.resolve();
  #completed: number;
  #failed: number;
  #usage: Results['usage'];

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#completed = options.before.requests.completed;
    this.#failed = options.before.requests.failed;
    this.#usage = options.before.usage;
  }

  /** Counts a result that is durable. */
  add(result: Result): void {
    if (result.kind === 'output') this.#completed += 1;
    else this.#failed += 1;
    this.#usage = addUsage(this.#usage, result.usage);
  }

  /** Writes until `stop`, or until `signal` aborts. */
  start(signal: AbortSignal): void {
    this.#writing = this.#keepWriting(AbortSignal.any([this.#stop.signal, signal]));
  }

  /** Resolves when nothing is written any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#writing;
  }

  /** Runs a write of the status that is no progress; that it fails is logged, since the next state says the same. */
  async announce(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const { logger, status } = this.#options;
      const { namespace, name } = status.batch.metadata;
      logger.warn(
        { namespace, batch: name, error: describeError(error) },
        'the progress of a batch could not be written',
      );
    }
  }

  async #keepWriting(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.announce(async () => await this.#write());
      await this.#options.clock.pause(EVERY_MS, signal);
    }
  }

  async #write(): Promise<void> {
    const { status, clock, troubles, total, pace, otherWork } = this.#options;
    await status.change((batch) => {
      // By a process that has the claim now: its counts are those of the files.
      if (isSealed(batch)) return batch.status ?? {};
      const nowMs = clock.wall();
      const state = stateOf(batch);
      const cancelling = state === 'Cancelling';
      const idle = cancelling || troubles.has('missing') || troubles.lasting;
      const left = idle ? 0 : total - this.#completed - this.#failed;
      const work = { windowEndMs: windowEnd(batch), left };
      const message = cancelling ? CANCELLING : (troubles.first ?? RUNNING);
      return enterState(batch, state, message, new Date(nowMs), {
        requests: { total, completed: this.#completed, failed: this.#failed },
        usage: this.#usage,
        neededReplicas: neededReplicas(work, otherWork(), pace(), nowMs, batch.status?.neededReplicas),
      });
    });
  }
}
