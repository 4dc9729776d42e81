/** Pure: snapshots of sums → time and cost of each deployment by hour or day. */
import { TooMuchUsage } from '../too-much-usage.ts';
import { merged, raised, type Snapshot } from './snapshots.ts';

export interface ReplicaTimeRow {
  /** When the bucket begins, in Unix seconds. */
  start: number;
  deployment: string;
  replicaSeconds: number;
  gpuSeconds: number;
  /** By currency. */
  cost: Record<string, number>;
}

export interface ReplicaTimeRange {
  /** Unix seconds; what was from `start` on and before `end` counts. */
  readonly start: number;
  readonly end: number;
  readonly bucketSeconds: number;
  readonly mostRows: number;
}

/**
 * Adds up snapshots that come in the order of their time, as day after day is read, and keeps of them the last of each
 * deployment. What came between two is spread evenly over the time between them: within the hour where each hour has one,
 * over the time that nobody took any where this process was away. The first one of a deployment tells of no time: what it
 * sums up may be of long ago.
 */
export class ReplicaTimeSums {
  readonly #range: ReplicaTimeRange;
  readonly #rows = new Map<string, ReplicaTimeRow>();
  readonly #last = new Map<string, Snapshot>();

  constructor(range: ReplicaTimeRange) {
    this.#range = range;
  }

  /** Throws TooMuchUsage where there come to be more than `mostRows`, or as many deployments. */
  add(snapshots: readonly Snapshot[]): void {
    for (const snapshot of merged(snapshots)) {
      const before = this.#last.get(snapshot.uid);
      if (before === undefined) {
        // Those that never ran have no row, but are held, too.
        if (this.#last.size >= this.#range.mostRows) throw new TooMuchUsage();
        this.#last.set(snapshot.uid, snapshot);
      } else if (snapshot.at >= before.at) {
        const after = raised(snapshot, before);
        this.#addSpan(before, after);
        this.#last.set(snapshot.uid, after);
      }
    }
  }

  /** Returns a row for each bucket and deployment in which replicas ran or cost something, in the order of time and name. */
  rows(): ReplicaTimeRow[] {
    return [...this.#rows.values()].toSorted((a, b) => a.start - b.start || (a.deployment < b.deployment ? -1 : 1));
  }

  #addSpan(before: Snapshot, after: Snapshot): void {
    const { start, end, bucketSeconds } = this.#range;
    const replicaSeconds = after.replicaSeconds - before.replicaSeconds;
    const gpuSeconds = after.gpuSeconds - before.gpuSeconds;
    const cost = Object.entries(after.cost)
      .map(([currency, sum]) => [currency, sum - (before.cost[currency] ?? 0)] as const)
      .filter(([, sum]) => sum > 0);
    if (replicaSeconds === 0 && gpuSeconds === 0 && cost.length === 0) return;
    // Sums of no time, as of a clock that stood, are of its first second.
    const until = Math.max(after.at, before.at + 1);
    const first = Math.max(before.at, start);
    for (let bucket = first - (first % bucketSeconds); bucket < Math.min(until, end); bucket += bucketSeconds) {
      const seconds = Math.min(bucket + bucketSeconds, until, end) - Math.max(bucket, first);
      const share = seconds / (until - before.at);
      const row = this.#row(bucket, after.deployment);
      row.replicaSeconds += share * replicaSeconds;
      row.gpuSeconds += share * gpuSeconds;
      for (const [currency, sum] of cost) row.cost[currency] = (row.cost[currency] ?? 0) + share * sum;
    }
  }

  #row(start: number, deployment: string): ReplicaTimeRow {
    const id = `${start} ${deployment}`;
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    if (this.#rows.size >= this.#range.mostRows) throw new TooMuchUsage();
    const row = { start, deployment, replicaSeconds: 0, gpuSeconds: 0, cost: {} };
    this.#rows.set(id, row);
    return row;
  }
}
