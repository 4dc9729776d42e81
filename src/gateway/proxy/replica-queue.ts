/** Requests that wait for a replica, per deployment in order of arrival; those of batches behind all others. */
import { deploymentSuspended, modelNotFound, noReplica, tooManyHeld, type GatewayError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { Deployment, Replica, ReplicaPicker } from '../types.ts';
import type { Ejection } from './ejection.ts';
import { lease, type Lease } from './lease.ts';

export interface ReplicaWish {
  readonly deployment: Deployment;
  /** The client's name for it, for errors. */
  readonly model: string;
  readonly estimatedTokens: number;
  /** It is of a batch. */
  readonly batch: boolean;
  /** Pod UIDs that failed this request. Tried again only after a pause, where no other serves. */
  readonly avoid: ReadonlySet<string>;
  /** Ends the wait: the client has gone. */
  readonly signal: AbortSignal;
  readonly holdTimeoutMs: number;
}

interface Waiting {
  readonly wish: ReplicaWish;
  avoid: ReadonlySet<string>;
  readonly take: (lease: Lease) => void;
  readonly refuse: (error: GatewayError) => void;
}

interface Queue {
  readonly waiting: Set<Waiting>;
  /** Of batches: each waits for those above. */
  readonly batch: Set<Waiting>;
  readonly unsubscribe: () => void;
}

type QueueLimits = Pick<GatewayLimits, 'heldRequests' | 'heldBatchRequests' | 'retryPauseMs'>;

const NOTHING: ReadonlySet<string> = new Set();

export class ReplicaQueue {
  readonly #pick: ReplicaPicker;
  readonly #ejection: Ejection;
  readonly #limits: QueueLimits;
  readonly #queues = new Map<string, Queue>();

  constructor(pick: ReplicaPicker, ejection: Ejection, limits: QueueLimits) {
    this.#pick = pick;
    this.#ejection = ejection;
    this.#limits = limits;
  }

  /** Returns a share of a serving replica; undefined where none may be taken now. */
  tryTake(
    deployment: Deployment,
    request: { readonly estimatedTokens: number; readonly batch: boolean },
    avoid: ReadonlySet<string>,
  ): Lease | undefined {
    if (request.batch && (this.#queues.get(deployment.uid)?.waiting.size ?? 0) > 0) return undefined;
    const replicas = deployment.replicas();
    const ejected = this.#ejection.ejected(replicas, performance.now());
    let replica: Replica | undefined;
    if (ejected.size > 0) replica = this.#pick(replicas, request, new Set([...ejected, ...avoid]));
    replica ??= this.#pick(replicas, request, avoid);
    return replica === undefined ? undefined : lease(replica, request.estimatedTokens, request.batch);
  }

  /**
   * Waits in line for a replica. Undefined when the client went away.
   * @throws GatewayError 503 where too many wait or none turned serving in time
   */
  async wait(wish: ReplicaWish): Promise<Lease | undefined> {
    const queue = this.#queueOf(wish.deployment);
    const readyIn = (waited: number): number | undefined => wish.deployment.readyInSeconds(Date.now(), waited);
    const line = wish.batch ? queue.batch : queue.waiting;
    const { heldRequests, heldBatchRequests } = this.#limits;
    if (line.size >= (wish.batch ? heldBatchRequests : heldRequests)) throw tooManyHeld(wish.model, readyIn(0));
    const { promise, resolve, reject } = Promise.withResolvers<Lease | undefined>();
    const entry: Waiting = { wish, avoid: wish.avoid, take: resolve, refuse: reject };
    line.add(entry);
    // Out of the queue at once: a lease given to an entry that has settled would never be released.
    const gone = (): void => {
      line.delete(entry);
      resolve(undefined);
    };
    wish.signal.addEventListener('abort', gone, { once: true });
    if (wish.signal.aborted) gone();
    const seconds = Math.round(wish.holdTimeoutMs / 1000);
    const deadline = setTimeout(() => {
      line.delete(entry);
      reject(noReplica(wish.model, seconds, readyIn(seconds)));
    }, wish.holdTimeoutMs);
    const endPause = (): void => {
      entry.avoid = NOTHING;
      this.#serve(queue);
    };
    const pause = wish.avoid.size === 0 ? undefined : setTimeout(endPause, this.#limits.retryPauseMs);
    // What changed between the caller's own try and the subscription is not told by an event.
    this.#serve(queue);
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      clearTimeout(pause);
      wish.signal.removeEventListener('abort', gone);
      line.delete(entry);
      // The last of those that came first has gone, which no event tells.
      if (queue.waiting.size === 0 && !wish.batch) this.#serveLine(queue.batch);
      if (queue.waiting.size + queue.batch.size === 0 && this.#queues.get(wish.deployment.uid) === queue) {
        this.#queues.delete(wish.deployment.uid);
        queue.unsubscribe();
      }
    }
  }

  #queueOf(deployment: Deployment): Queue {
    let queue = this.#queues.get(deployment.uid);
    if (queue === undefined) {
      const created: Queue = {
        waiting: new Set(),
        batch: new Set(),
        unsubscribe: deployment.onReplicasChange(() => this.#serve(created)),
      };
      queue = created;
      this.#queues.set(deployment.uid, queue);
    }
    return queue;
  }

  #serve(queue: Queue): void {
    this.#serveLine(queue.waiting);
    this.#serveLine(queue.batch);
  }

  #serveLine(line: Set<Waiting>): void {
    for (const entry of line) {
      const { deployment, model } = entry.wish;
      if (deployment.removed || deployment.suspended) {
        line.delete(entry);
        entry.refuse(deployment.removed ? modelNotFound(model) : deploymentSuspended(model));
        continue;
      }
      const taken = this.tryTake(entry.wish.deployment, entry.wish, entry.avoid);
      if (taken === undefined) continue;
      line.delete(entry);
      entry.take(taken);
    }
  }
}
