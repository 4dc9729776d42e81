/** Pure: what requests used and what replicas cost in the same rows. */
import type { ReplicaTimeRow } from './rows.ts';

interface UsageRow {
  start: number;
  /** Null where rows are not by deployment. */
  deployment: string | null;
}

/** What a row of a deployment carries beside its requests. */
export interface ReplicaTimeFields {
  replica_seconds?: number;
  gpu_seconds?: number;
  /** A decimal string; absent without a price, and where there were several currencies in the bucket. */
  cost?: string;
  currency?: string;
}

/**
 * Returns `rows`, which are of one deployment and bucket each, with the time and cost of the replicas; deployments without
 * a request have a row that `empty` makes. In the order of time and deployment.
 */
export function withReplicaTime<Row extends UsageRow>(
  rows: readonly Row[],
  times: readonly ReplicaTimeRow[],
  empty: (start: number, deployment: string) => Row,
): (Row & ReplicaTimeFields)[] {
  const joined = new Map<string, Row & ReplicaTimeFields>(rows.map((row) => [idOf(row), row]));
  for (const time of times) {
    const row = joined.get(idOf(time)) ?? empty(time.start, time.deployment);
    joined.set(idOf(time), { ...row, ...fieldsOf(time) });
  }
  return [...joined.values()].toSorted(
    (a, b) => a.start - b.start || ((a.deployment ?? '') < (b.deployment ?? '') ? -1 : 1),
  );
}

function idOf({ start, deployment }: UsageRow): string {
  return `${start} ${deployment ?? ''}`;
}

function fieldsOf({ cost, gpuSeconds, replicaSeconds }: ReplicaTimeRow): ReplicaTimeFields {
  const [paid, another] = Object.entries(cost).filter(([, sum]) => sum > 0);
  return {
    replica_seconds: Math.round(replicaSeconds),
    gpu_seconds: Math.round(gpuSeconds),
    ...(paid && another === undefined && { currency: paid[0], cost: paid[1].toFixed(2) }),
  };
}
