/** Room for requests on each deployment, shared by all batches that this process runs on it. */
import type { Logger } from '../../kube/types.ts';
import { describeError } from '../../kube/errors.ts';
import type { BatchGateways, DeploymentLoad, DeploymentName } from '../gateway.ts';
import type { WorkerClock } from './access.ts';
import { FIRST_CONCURRENCY, nextConcurrency, ownShare } from './concurrency.ts';
import { ReplicaRate } from './needed-replicas.ts';
import type { Pace } from './needed-replicas.ts';

export interface LaneOptions {
  readonly gateways: Pick<BatchGateways, 'load'>;
  /** Returns whether another process runs the batch on the deployment whose window ends first. */
  readonly othersAreEarlier: (deployment: DeploymentName) => boolean;
  readonly clock: WorkerClock;
  readonly logger: Logger;
}

/** Of a request, from before it is sent until its result is durable. */
export interface Room {
  /** Call it when the request has its answer: another may have its place at the engine. */
  readonly answered: () => void;
  /** Call it once, when nothing of the request or its result is in memory any more. */
  readonly giveBack: () => void;
}

/** A batch in a lane. */
export interface Rider {
  /**
   * Waits for room for a request of `bytes`. Of several that wait that of the earliest window comes first. Rejects with the
   * reason of `signal`.
   */
  acquire(bytes: number, signal: AbortSignal): Promise<Room>;
  /** Call it for each request that an engine has done. */
  finished(): void;
  /** Call it for each try that came to nothing. */
  failed(): void;
  pace(): Pace;
  leave(): void;
}

interface Waiting {
  readonly windowEndMs: number;
  readonly bytes: number;
  readonly granted: PromiseWithResolvers<Room>;
}

const LOOK_EVERY_MS = 1000;
const LOOK_TIMEOUT_MS = 5000;

/** Of the limit: with fewer under way at the gateways it is not replicas that are wanting. */
const FULL_SHARE = 0.8;

/**
 * Answered requests of a deployment whose results may wait for the store: those of a tenth of a second, at a thousand a
 * second. Beyond that nothing is sent until some are durable; a crash repeats them.
 */
export const MOST_UNSAVED = 100;

/** Bodies of requests in flight, over all deployments. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The same for a deployment with none in flight: those of others must not keep it from its first. */
const MOST_BYTES_FOR_FIRST = 2 * MOST_BYTES;

/** The lanes of one process. */
export class Lanes {
  readonly #options: LaneOptions;
  readonly #lanes = new Map<string, Lane>();
  #bytes = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Lets a batch send to the deployment; `leave` ends that. */
  join(deployment: DeploymentName, windowEndMs: number): Rider {
    const key = `${deployment.namespace}/${deployment.name}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(deployment, this.#options, {
        mayTake: (bytes, isFirst) => this.#bytes + bytes <= (isFirst ? MOST_BYTES_FOR_FIRST : MOST_BYTES),
        take: (bytes) => {
          this.#bytes += bytes;
        },
        giveBack: (bytes) => {
          this.#bytes -= bytes;
          for (const each of this.#lanes.values()) each.grant();
        },
      });
      this.#lanes.set(key, lane);
    }
    return lane.join(windowEndMs, () => this.#lanes.delete(key));
  }
}

interface ByteBudget {
  mayTake(bytes: number, isFirst: boolean): boolean;
  take(bytes: number): void;
  giveBack(bytes: number): void;
}

class Lane {
  readonly #deployment: DeploymentName;
  readonly #options: LaneOptions;
  readonly #budget: ByteBudget;
  readonly #rate = new ReplicaRate();
  #riders = 0;
  readonly #closed = new AbortController();
  #waiting: Waiting[] = [];
  #concurrency = FIRST_CONCURRENCY;
  #allowed = 1;
  /** Sent and not answered. */
  #inFlight = 0;
  /** Answered, and the result is not durable yet. */
  #unsaved = 0;
  #finished = 0;
  #failed = 0;
  #replicas = 0;
  #lookedAtMs: number;

  constructor(deployment: DeploymentName, options: LaneOptions, budget: ByteBudget) {
    this.#deployment = deployment;
    this.#options = options;
    this.#budget = budget;
    this.#lookedAtMs = options.clock.monotonic();
    void this.#keepLooking();
  }

  join(windowEndMs: number, onEmpty: () => void): Rider {
    this.#riders += 1;
    return {
      acquire: async (bytes, signal) => await this.#acquire({ windowEndMs, bytes }, signal),
      finished: () => {
        this.#finished += 1;
      },
      failed: () => {
        this.#failed += 1;
      },
      pace: () => ({ replicas: this.#replicas, ratePerReplica: this.#rate.perReplica }),
      leave: () => {
        this.#riders -= 1;
        if (this.#riders > 0) return;
        this.#closed.abort();
        onEmpty();
      },
    };
  }

  /** Gives room to those that wait, as far as there is any. */
  grant(): void {
    while (this.#inFlight < this.#allowed && this.#unsaved < MOST_UNSAVED) {
      const next = this.#waiting[0];
      const isFirst = this.#inFlight + this.#unsaved === 0;
      if (next === undefined || !this.#budget.mayTake(next.bytes, isFirst)) return;
      this.#waiting.shift();
      next.granted.resolve(this.#roomFor(next.bytes));
    }
  }

  #roomFor(bytes: number): Room {
    this.#inFlight += 1;
    this.#budget.take(bytes);
    let isAnswered = false;
    return {
      answered: () => {
        isAnswered = true;
        this.#inFlight -= 1;
        this.#unsaved += 1;
        this.grant();
      },
      giveBack: () => {
        if (isAnswered) this.#unsaved -= 1;
        else this.#inFlight -= 1;
        this.#budget.giveBack(bytes);
      },
    };
  }

  async #acquire(request: Omit<Waiting, 'granted'>, signal: AbortSignal): Promise<Room> {
    signal.throwIfAborted();
    const waiting: Waiting = { ...request, granted: Promise.withResolvers() };
    const abort = (): void => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      waiting.granted.reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting = [...this.#waiting, waiting].sort((a, b) => a.windowEndMs - b.windowEndMs);
    this.grant();
    try {
      return await waiting.granted.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const inFlight = this.#inFlight;
      const load = await this.#look();
      // Seen at some time in between.
      this.#adapt(load, Math.max(inFlight, this.#inFlight));
      await this.#options.clock.pause(LOOK_EVERY_MS, signal);
    }
  }

  async #look(): Promise<DeploymentLoad | undefined> {
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]);
    try {
      return await this.#options.gateways.load(this.#deployment, signal);
    } catch (error) {
      const fields = { ...this.#deployment, error: describeError(error) };
      if (!this.#closed.signal.aborted) this.#options.logger.info(fields, 'the load is not known');
      return undefined;
    }
  }

  #adapt(load: DeploymentLoad | undefined, ownRequests: number): void {
    const nowMs = this.#options.clock.monotonic();
    const before = this.#concurrency.limit;
    this.#concurrency = nextConcurrency(this.#concurrency, load, nowMs);
    const { limit } = this.#concurrency;
    if (load !== undefined) {
      const others = Math.max(0, load.batchRequests - ownRequests);
      const isEarliest = !this.#options.othersAreEarlier(this.#deployment);
      this.#allowed = ownShare(limit, others, isEarliest);
      const full = load.batchRequests >= FULL_SHARE * before && !this.#concurrency.growing;
      this.#measure(full, load, ownRequests / (ownRequests + others), nowMs);
    } else {
      this.#allowed = Math.min(this.#allowed, limit);
      this.#rate.skip();
    }
    this.#finished = 0;
    this.#failed = 0;
    this.#lookedAtMs = nowMs;
    this.grant();
  }

  /** Takes into the rate what was done since the last look, where it was replicas that kept it from being more. */
  #measure(full: boolean, { replicas }: DeploymentLoad, share: number, nowMs: number): void {
    const seconds = (nowMs - this.#lookedAtMs) / 1000;
    if (full && this.#failed === 0 && replicas <= this.#replicas) {
      this.#rate.add(this.#finished, share * replicas * seconds, seconds);
    } else this.#rate.skip();
    this.#replicas = replicas;
  }
}
