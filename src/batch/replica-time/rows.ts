/** Pure: snapshots of sums → time and cost of each deployment by hour or day. */
import { merged, type Snapshot } from './snapshots.ts';

export interface ReplicaTimeRow {
  /** When the bucket begins, in Unix seconds. */
  start: number;
  deployment: string;
  replicaSeconds: number;
  gpuSeconds: number;
  /** By currency. */
  cost: Record<string, number>;
}

interface Range {
  /** Unix seconds; what was from `start` on and before `end` counts. */
  start: number;
  end: number;
  bucketSeconds: number;
}

/**
 * Returns a row for each bucket and deployment in which replicas ran, in the order of time and name. What came between two
 * snapshots is spread evenly over the time between them: within the hour where each hour has one, over the time that
 * nobody took any where this process was away.
 */
export function replicaTimeRows(snapshots: readonly Snapshot[], range: Range): ReplicaTimeRow[] {
  const rows = new Map<string, ReplicaTimeRow>();
  const before = new Map<string, Snapshot>();
  for (const snapshot of merged(snapshots)) {
    addSpan(rows, before.get(snapshot.uid), snapshot, range);
    before.set(snapshot.uid, snapshot);
  }
  return [...rows.values()]
    .filter(({ replicaSeconds }) => replicaSeconds > 0)
    .toSorted((a, b) => a.start - b.start || (a.deployment < b.deployment ? -1 : 1));
}

function addSpan(
  rows: Map<string, ReplicaTimeRow>,
  before: Snapshot | undefined,
  after: Snapshot,
  { start, end, bucketSeconds }: Range,
): void {
  const from = before?.at ?? after.created;
  const spanSeconds = after.at - from;
  // Sums of no time, as of a clock that stood, are of its first second.
  const until = spanSeconds > 0 ? after.at : from + 1;
  const first = Math.max(from, start);
  for (let bucket = first - (first % bucketSeconds); bucket < Math.min(until, end); bucket += bucketSeconds) {
    const seconds = Math.min(bucket + bucketSeconds, until, end) - Math.max(bucket, first);
    const share = seconds / (until - from);
    const id = `${bucket} ${after.deployment}`;
    const empty = { start: bucket, deployment: after.deployment, replicaSeconds: 0, gpuSeconds: 0, cost: {} };
    const row: ReplicaTimeRow = rows.get(id) ?? empty;
    rows.set(id, row);
    row.replicaSeconds += share * (after.replicaSeconds - (before?.replicaSeconds ?? 0));
    row.gpuSeconds += share * (after.gpuSeconds - (before?.gpuSeconds ?? 0));
    for (const [currency, sum] of Object.entries(after.cost)) {
      row.cost[currency] = (row.cost[currency] ?? 0) + share * (sum - (before?.cost[currency] ?? 0));
    }
  }
}
