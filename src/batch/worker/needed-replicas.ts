/** Pure: how many replicas a batch needs to be done within its window. */

export interface Work {
  /** When the window ends, in Unix milliseconds. */
  readonly windowEndMs: number;
  /** Requests without a result. */
  readonly left: number;
}

/** How a deployment gets on with its batches. */
export interface Pace {
  /** Replicas that serve. */
  readonly replicas: number;
  /** Requests a second that one replica did of late; undefined while too few were seen. */
  readonly ratePerReplica: number | undefined;
}

/** Of the time that is left; the rest is for what goes wrong. */
const MARGIN = 0.8;
/** A replica that is asked for now does not serve much earlier. */
const SHORTEST_TIME_MS = 600_000;
/** The most that the resource holds. */
const MOST_REPLICAS = 1000;

/** Requests and time from which a rate counts as measured. */
const ENOUGH = { requests: 20, replicaSeconds: 30 };
const HALF_LIFE_SECONDS = 300;

/**
 * Returns how many replicas the deployment needs for `own`, and all `others` on it whose windows end no later, to be done
 * in time; 0 where nothing is left. `before` is what was asked for last: it stays while no rate was measured, and is not
 * raised above twice what serves, so that a rate too low for another reason than too few replicas is seen to stay so.
 */
export function neededReplicas(
  own: Work,
  others: readonly Work[],
  { replicas, ratePerReplica }: Pace,
  nowMs: number,
  before: number | undefined,
): number {
  if (own.left <= 0) return 0;
  if (ratePerReplica === undefined || ratePerReplica <= 0) return Math.max(1, before ?? 1);
  const left = others
    .filter(({ windowEndMs }) => windowEndMs <= own.windowEndMs)
    .reduce((sum, { left }) => sum + left, own.left);
  const seconds = (MARGIN * Math.max(SHORTEST_TIME_MS, own.windowEndMs - nowMs)) / 1000;
  const most = Math.min(MOST_REPLICAS, Math.max(before ?? 0, 2 * replicas));
  return Math.max(1, Math.min(most, Math.ceil(left / (ratePerReplica * seconds))));
}

/** How many requests of batches one replica of a deployment does a second, of late. */
export class ReplicaRate {
  #requests = 0;
  #replicaSeconds = 0;
  #pendingReplicaSeconds = 0;
  #allRequests = 0;
  #allReplicaSeconds = 0;

  /**
   * Takes in what was done in `replicaSeconds` in which there was work for all of each replica. Time counts with the next
   * request that is done: nothing is known of replicas that do none.
   */
  add(requests: number, replicaSeconds: number, seconds: number): void {
    const kept = 2 ** (-seconds / HALF_LIFE_SECONDS);
    this.#requests *= kept;
    this.#replicaSeconds *= kept;
    this.#pendingReplicaSeconds += replicaSeconds;
    if (requests === 0) return;
    this.#requests += requests;
    this.#replicaSeconds += this.#pendingReplicaSeconds;
    this.#allRequests += requests;
    this.#allReplicaSeconds += this.#pendingReplicaSeconds;
    this.#pendingReplicaSeconds = 0;
  }

  /** Leaves out the time since the last request that was done. */
  skip(): void {
    this.#pendingReplicaSeconds = 0;
  }

  /** Requests a second; undefined while too few were seen. */
  get perReplica(): number | undefined {
    const enough = this.#allRequests >= ENOUGH.requests && this.#allReplicaSeconds >= ENOUGH.replicaSeconds;
    return enough && this.#replicaSeconds > 0 ? this.#requests / this.#replicaSeconds : undefined;
  }
}
