/** Pure: what requests used and what replicas cost in the same rows. */
import { compareNames } from '../usage/rows.ts';
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
  /** A decimal string; absent without a price. */
  cost?: string;
  currency?: string;
}

/** Rows are added up by whoever reads them: cents would not do for an hour. */
const COST_DIGITS = 6;

/**
 * Returns `rows`, which are of one deployment and bucket each, with the time and cost of the replicas; deployments without
 * a request have a row that `empty` makes, and so has each further currency that was paid in, with nothing but its cost: the
 * sum over the rows is right whatever is added up. In the order of time and deployment.
 */
export function withReplicaTime<Row extends UsageRow>(
  rows: readonly Row[],
  times: readonly ReplicaTimeRow[],
  empty: (start: number, deployment: string) => Row,
): (Row & ReplicaTimeFields)[] {
  const joined = new Map<string, Row & ReplicaTimeFields>(rows.map((row) => [idOf(row), row]));
  const further: (Row & ReplicaTimeFields)[] = [];
  for (const time of times) {
    const { start, deployment, replicaSeconds, gpuSeconds } = time;
    const row = joined.get(idOf(time)) ?? empty(start, deployment);
    const [cost, ...others] = costsOf(time);
    const seconds = { replica_seconds: Math.round(replicaSeconds), gpu_seconds: Math.round(gpuSeconds) };
    joined.set(idOf(time), { ...row, ...seconds, ...cost });
    further.push(...others.map((other) => ({ ...empty(start, deployment), ...other })));
  }
  return [...joined.values(), ...further].toSorted(
    (a, b) => a.start - b.start || compareNames(a.deployment ?? '', b.deployment ?? ''),
  );
}

function idOf({ start, deployment }: UsageRow): string {
  return `${start} ${deployment ?? ''}`;
}

function costsOf({ cost }: ReplicaTimeRow): Required<Pick<ReplicaTimeFields, 'cost' | 'currency'>>[] {
  return Object.entries(cost)
    .filter(([, sum]) => sum > 0)
    .map(([currency, sum]) => ({ currency, cost: sum.toFixed(COST_DIGITS) }))
    .toSorted((a, b) => compareNames(a.currency, b.currency));
}
