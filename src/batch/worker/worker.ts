/** Finds the batches that have something to be done, and works on some of them at a time. */
import { pause, retryDelay } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import type { DeploymentName } from '../gateway.ts';
import { ClockWatch } from '../clock-watch.ts';
import { TimedIds } from '../timed-ids.ts';
import type { Claim, WorkerClock, WorkerOptions } from './access.ts';
import { Lanes } from './lanes.ts';
import type { Work } from './needed-replicas.ts';
import { Places } from './places.ts';
import { FINALIZER, deploymentOf, endedAt, isFinal, requestsLeft, sendsNothing, stateOf, windowEnd } from './state.ts';
import { BatchWork } from './work.ts';

/** Worked on at the same time, beside those whose requests are sent. */
const MOST_BESIDE = 8;
/** Removed at the same time, whatever all others wait for: it gives room to a store that is full. */
const MOST_REMOVED = 4;
/** Claims waited for at the same time, which other processes hold or held. */
const MOST_WAITING = 32;
/** A Lease that nobody renews is free after 30 s; one that is not by then is somebody's. */
const CLAIM_PATIENCE_MS = 45_000;
const CLAIMED_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 5000;
/** How long the resource of a batch is kept after its end. */
const RETENTION_MS = 30 * 86_400_000;

const BACKOFF = { baseMs: 2000, maxMs: 60_000 };
/** How long after its rest a batch's failures still count. */
const FORGET_MS = 600_000;

const SYSTEM_CLOCK: WorkerClock = { wall: () => Date.now(), monotonic: () => performance.now(), pause };

export interface Worker {
  start(): void;
  /** Sends nothing new, and gives up after `graceMs` what is in flight then. */
  stop(graceMs: number): Promise<void>;
}

/** Returns the part of the batch process that runs the batches. The cache of `options` must be synced at `start`. */
export function createWorker(options: WorkerOptions): Worker {
  return new BatchWorker(options);
}

/** One that is claimed, or is to be. */
interface Attempt {
  readonly batch: InferenceBatch;
  readonly cancel: AbortController;
  readonly deleted: AbortController;
  /** By the monotonic clock. */
  readonly sinceMs: number;
  running: boolean;
  /** Whether its requests are sent. */
  placed: boolean;
  over: Promise<void>;
}

class BatchWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #clock: WorkerClock;
  readonly #lanes: Lanes;
  readonly #places = new Places();
  readonly #ids: TimedIds;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  /** By uid. */
  readonly #attempts = new Map<string, Attempt>();
  /** When a batch is tried again, by the monotonic clock, and how often it failed in a row; by uid. */
  readonly #rests = new Map<string, { untilMs: number; failures: number }>();
  readonly #clockWatch: ClockWatch;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#clockWatch = new ClockWatch(this.#clock);
    this.#ids = new TimedIds(() => this.#clock.wall());
    this.#lanes = new Lanes({
      gateways: options.gateways,
      othersAreEarlier: (deployment) => this.#othersAreEarlier(deployment),
      clock: this.#clock,
      logger: options.logger,
    });
  }

  start(): void {
    this.#options.batches.onChange(({ type, object }) => {
      const attempt = this.#attempts.get(object.metadata.uid ?? '');
      if (attempt) giveOrders(attempt, object, type === 'deleted');
      this.#look();
    });
    this.#looking = this.#keepLooking();
  }

  async stop(graceMs: number): Promise<void> {
    this.#stop.abort(new Error('the worker stops'));
    const timer = setTimeout(() => this.#kill.abort(new Error('the worker stops')), graceMs);
    await Promise.all([this.#looking, ...[...this.#attempts.values()].map(({ over }) => over)]);
    clearTimeout(timer);
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#look();
      await this.#removeOld();
      await this.#clock.pause(LOOK_EVERY_MS, signal);
    }
  }

  /** Begins to claim the batches that are next, as far as there is room. */
  #look(): void {
    if (this.#stop.signal.aborted) return;
    const attempts = [...this.#attempts.values()];
    const running = attempts.filter((attempt) => attempt.running).length;
    const nowMs = this.#clock.monotonic();
    // Where a claim is free it is ours at once: so young ones are as good as running, and the earliest go first.
    const young = attempts.filter(
      (attempt) => !attempt.running && !isOrderedToGo(attempt) && nowMs - attempt.sinceMs < CLAIMED_WITHIN_MS,
    ).length;
    let removals = MOST_REMOVED - attempts.filter(isOrderedToGo).length;
    let room = Math.min(MOST_BESIDE - this.#runningBeside() - young, MOST_WAITING - (attempts.length - running));
    for (const batch of this.#options.batches
      .list()
      .filter((other) => this.#needsWork(other))
      .sort(byUrgency)) {
      const uid = batch.metadata.uid ?? '';
      if (this.#attempts.has(uid) || (this.#rests.get(uid)?.untilMs ?? 0) > nowMs) continue;
      if ((isDeleted(batch) ? removals : room) <= 0) continue;
      this.#begin(uid, batch);
      if (isDeleted(batch)) removals -= 1;
      else room -= 1;
    }
  }

  #runningBeside(): number {
    return [...this.#attempts.values()].filter(
      (attempt) => attempt.running && !attempt.placed && !isOrderedToGo(attempt),
    ).length;
  }

  #needsWork(batch: InferenceBatch): boolean {
    const state = stateOf(batch);
    // The finalizer is there for as long as something is to be removed from the store.
    if (isDeleted(batch) || isFinal(state)) return batch.metadata.finalizers?.includes(FINALIZER) === true;
    const deployment = state === 'InProgress' ? deploymentOf(batch) : undefined;
    if (deployment === undefined || sendsNothing(batch, this.#clock.wall())) return true;
    // Without a place it is to keep no replicas, which whoever claims it writes.
    return this.#places.isFree(deployment) || (batch.status?.neededReplicas ?? 0) > 0;
  }

  #begin(uid: string, batch: InferenceBatch): void {
    const attempt: Attempt = {
      batch,
      cancel: new AbortController(),
      deleted: new AbortController(),
      sinceMs: this.#clock.monotonic(),
      running: false,
      placed: false,
      over: Promise.resolve(),
    };
    giveOrders(attempt, batch, false);
    this.#attempts.set(uid, attempt);
    attempt.over = this.#try(uid, attempt);
  }

  async #try(uid: string, attempt: Attempt): Promise<void> {
    const { claims, logger } = this.#options;
    const { namespace, name } = attempt.batch.metadata;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), CLAIM_PATIENCE_MS);
    try {
      const signal = AbortSignal.any([this.#stop.signal, patience.signal]);
      let done = false;
      await claims.hold(attempt.batch, signal, async (claim) => {
        clearTimeout(timer);
        done = await this.#work(attempt, claim);
      });
      // By then the cache shows what was done.
      this.#rest(uid, patience.signal.aborted ? CLAIM_PATIENCE_MS : BACKOFF.baseMs, 0);
      if (done) await claims.forget(attempt.batch);
    } catch (error) {
      const failures = this.#rests.get(uid)?.failures ?? 0;
      this.#rest(uid, retryDelay(failures, BACKOFF), failures + 1);
      logger.warn({ namespace, batch: name, error: describeError(error) }, 'the work on a batch failed; tried again');
    } finally {
      clearTimeout(timer);
      this.#attempts.delete(uid);
      this.#look();
    }
  }

  /** Returns whether nothing is left to do for the batch. */
  async #work(attempt: Attempt, claim: Claim): Promise<boolean> {
    if (!isOrderedToGo(attempt) && this.#runningBeside() >= MOST_BESIDE) return false;
    attempt.running = true;
    const { namespace, name, uid } = attempt.batch.metadata;
    const batch = await claim.resources.get({ name, ...(namespace !== undefined && { namespace }) });
    if (batch === undefined || batch.metadata.uid !== uid) return true;
    giveOrders(attempt, batch, false);
    const { store, files, gateways, logger } = this.#options;
    const orders = { cancel: attempt.cancel.signal, deleted: attempt.deleted.signal, kill: this.#kill.signal };
    const work = new BatchWork(
      {
        store,
        files,
        gateways,
        logger,
        clock: this.#clock,
        ids: this.#ids,
        lanes: this.#lanes,
        failedBefore: (this.#rests.get(uid ?? '')?.failures ?? 0) > 0,
        takePlace: (deployment) => this.#takePlace(attempt, deployment),
        otherWork: (deployment, ownUid) => this.#otherWork(deployment, ownUid),
      },
      orders,
      claim,
      batch,
    );
    const done = await work.run();
    return done && !claim.ending.aborted;
  }

  #takePlace(attempt: Attempt, deployment: DeploymentName): (() => void) | undefined {
    const leave = this.#places.take(deployment);
    if (leave === undefined) return undefined;
    attempt.placed = true;
    this.#look();
    return () => {
      attempt.placed = false;
      leave();
    };
  }

  #rest(uid: string, ms: number, failures: number): void {
    const nowMs = this.#clock.monotonic();
    for (const [other, { untilMs }] of this.#rests) if (untilMs < nowMs - FORGET_MS) this.#rests.delete(other);
    this.#rests.set(uid, { untilMs: nowMs + ms, failures });
  }

  async #removeOld(): Promise<void> {
    const { batches, claims, resources, logger } = this.#options;
    if (!this.#clockWatch.isSteady()) return;
    for (const batch of batches.list()) {
      const ended = endedAt(batch);
      if (isDeleted(batch) || ended === undefined || this.#clock.wall() - ended < RETENTION_MS) continue;
      const { namespace, name, uid = '' } = batch.metadata;
      const { untilMs = 0, failures = 0 } = this.#rests.get(uid) ?? {};
      if (untilMs > this.#clock.monotonic()) continue;
      try {
        // Its process may have died between the end and this.
        await claims.forget(batch);
        await resources.delete(batch);
        logger.info({ namespace, batch: name }, 'a batch that ended 30 days ago was removed');
      } catch (error) {
        this.#rest(uid, retryDelay(failures, BACKOFF), failures + 1);
        logger.warn({ namespace, batch: name, error: describeError(error) }, 'an old batch could not be removed');
      }
    }
  }

  #otherWork(deployment: DeploymentName, uid: string | undefined): Work[] {
    return this.#onDeployment(deployment)
      .filter(({ metadata }) => metadata.uid !== uid)
      .map((batch) => ({ windowEndMs: windowEnd(batch), left: requestsLeft(batch) ?? 0 }));
  }

  #othersAreEarlier(deployment: DeploymentName): boolean {
    const [first] = this.#onDeployment(deployment).sort(byUrgency);
    return first !== undefined && this.#attempts.get(first.metadata.uid ?? '')?.running !== true;
  }

  #onDeployment(deployment: DeploymentName): InferenceBatch[] {
    return this.#options.batches.list().filter((batch) => {
      const other = stateOf(batch) === 'InProgress' ? deploymentOf(batch) : undefined;
      return other?.namespace === deployment.namespace && other.name === deployment.name;
    });
  }
}

function isOrderedToGo({ deleted }: Attempt): boolean {
  return deleted.signal.aborted;
}

function giveOrders({ cancel, deleted }: Attempt, batch: InferenceBatch, removed: boolean): void {
  if (batch.spec.cancel === true) cancel.abort(new Error('the batch is cancelled'));
  if (removed || isDeleted(batch)) deleted.abort(new Error('the batch is deleted'));
}

/** What is deleted goes first: it is quick. All processes have one order, also of windows that end in one second. */
function byUrgency(a: InferenceBatch, b: InferenceBatch): number {
  const earlier = Number(isDeleted(b)) - Number(isDeleted(a)) || windowEnd(a) - windowEnd(b);
  return earlier || (a.metadata.uid ?? '').localeCompare(b.metadata.uid ?? '');
}

function isDeleted(batch: InferenceBatch): boolean {
  return batch.metadata.deletionTimestamp !== undefined;
}
