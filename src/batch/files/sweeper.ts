import { Counter, type Registry } from 'prom-client';
import { pause } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { ClockWatch } from '../clock-watch.ts';
import type { BatchCache } from '../worker/access.ts';
import { tidyUsage } from '../usage/tidy.ts';
import type { UsageRecords } from '../usage/usage-records.ts';
import { sweepLeftovers } from '../worker/leftovers.ts';
import type { FileRepository } from './file-repository.ts';
import { sweep } from './sweep.ts';

export interface SweeperOptions {
  readonly store: ObjectStore;
  readonly files: FileRepository;
  readonly usage: UsageRecords;
  /** Must be synced at `start`. */
  readonly batches: Pick<BatchCache, 'list'>;
  /** The only namespace of which `batches` has any; absent means all. */
  readonly watchNamespace: string | undefined;
  readonly intervalMs: number;
  readonly metrics: Registry;
  readonly logger: Logger;
}

/** Sweeps at once and then from time to time, until it is stopped. What fails is left to the next sweep. */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #clock = new ClockWatch({ wall: () => Date.now(), monotonic: () => performance.now() });
  readonly #removed: Counter<'reason'>;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#removed = new Counter({
      name: 'infer_batch_files_swept_total',
      help: 'Objects that were removed: files that expired, content whose upload had not ended, what batches left, old usage.',
      labelNames: ['reason'],
      registers: [options.metrics],
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the sweeper was stopped'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { intervalMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#sweep();
      await pause(intervalMs, this.#stop.signal);
    }
  }

  async #sweep(): Promise<void> {
    const { store, files, usage, batches, watchNamespace, logger } = this.#options;
    if (!this.#clock.isSteady()) {
      logger.warn({}, 'the clock has jumped: nothing is removed for being old until it stays as it is for an hour');
      return;
    }
    try {
      const options = { nowMs: Date.now(), signal: this.#stop.signal };
      const { expired, unfinished } = await sweep(store, files, options);
      this.#removed.inc({ reason: 'expired' }, expired);
      this.#removed.inc({ reason: 'unfinished' }, unfinished);
      if (expired + unfinished > 0) logger.info({ expired, unfinished }, 'files were removed');
      const left = await sweepLeftovers(store, batches, { ...options, namespace: watchNamespace });
      this.#removed.inc({ reason: 'left' }, left);
      if (left > 0) logger.info({ left }, 'what batches left was removed');
      const { merged, removed } = await tidyUsage(store, usage, options);
      this.#removed.inc({ reason: 'usage' }, removed);
      if (merged + removed > 0) logger.info({ merged, removed }, 'objects of usage were merged or removed');
    } catch (error) {
      if (!this.#stop.signal.aborted) logger.warn({ error: describeError(error) }, 'removing expired files failed');
    }
  }
}
