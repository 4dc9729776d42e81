/** Requests that wait for a replica, per deployment in order of arrival. */
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
  readonly unsubscribe: () => void;
}

const NOTHING: ReadonlySet<string> = new Set();

export class ReplicaQueue {
  readonly #pick: ReplicaPicker;
  readonly #ejection: Ejection;
  readonly #limits: Pick<GatewayLimits, 'heldRequests' | 'retryPauseMs'>;
  readonly #queues = new Map<string, Queue>();

  constructor(pick: ReplicaPicker, ejection: Ejection, limits: Pick<GatewayLimits, 'heldRequests' | 'retryPauseMs'>) {
    this.#pick = pick;
    this.#ejection = ejection;
    this.#limits = limits;
  }

  /** Returns a share of a serving replica; undefined where none may be taken now. */
  tryTake(
    deployment: Deployment,
    request: { readonly estimatedTokens: number },
    avoid: ReadonlySet<string>,
  ): Lease | undefined {
    const replicas = deployment.replicas();
    const ejected = this.#ejection.ejected(replicas, performance.now());
    let replica: Replica | undefined;
    if (ejected.size > 0) replica = this.#pick(replicas, request, new Set([...ejected, ...avoid]));
    replica ??= this.#pick(replicas, request, avoid);
    return replica === undefined ? undefined : lease(replica, request.estimatedTokens);
  }

  /**
   * Waits in line for a replica. Undefined when the client went away.
   * @throws GatewayError 503 where too many wait or none turned serving in time
   */
  async wait(wish: ReplicaWish): Promise<Lease | undefined> {
    const queue = this.#queueOf(wish.deployment);
    const readyIn = (waited: number): number | undefined => wish.deployment.readyInSeconds(Date.now(), waited);
    if (queue.waiting.size >= this.#limits.heldRequests) throw tooManyHeld(wish.model, readyIn(0));
    const { promise, resolve, reject } = Promise.withResolvers<Lease | undefined>();
    const entry: Waiting = { wish, avoid: wish.avoid, take: resolve, refuse: reject };
    queue.waiting.add(entry);
    // Out of the queue at once: a lease given to an entry that has settled would never be released.
    const gone = (): void => {
      queue.waiting.delete(entry);
      resolve(undefined);
    };
    wish.signal.addEventListener('abort', gone, { once: true });
    if (wish.signal.aborted) gone();
    const seconds = Math.round(wish.holdTimeoutMs / 1000);
    const deadline = setTimeout(() => {
      queue.waiting.delete(entry);
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
      queue.waiting.delete(entry);
      if (queue.waiting.size === 0 && this.#queues.get(wish.deployment.uid) === queue) {
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
        unsubscribe: deployment.onReplicasChange(() => this.#serve(created)),
      };
      queue = created;
      this.#queues.set(deployment.uid, queue);
    }
    return queue;
  }

  #serve(queue: Queue): void {
    for (const entry of queue.waiting) {
      const { deployment, model } = entry.wish;
      if (deployment.removed || deployment.suspended) {
        queue.waiting.delete(entry);
        entry.refuse(deployment.removed ? modelNotFound(model) : deploymentSuspended(model));
        continue;
      }
      const taken = this.tryTake(entry.wish.deployment, entry.wish, entry.avoid);
      if (taken === undefined) continue;
      queue.waiting.delete(entry);
      entry.take(taken);
    }
  }
}
