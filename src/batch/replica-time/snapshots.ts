/** Pure: the sums of a deployment's status → what is kept of them, and from that of its time and cost from hour to hour. */
import { z } from 'zod';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { totalsAt } from '../../api/replica-time.ts';

const amount = z.number().min(0);
const currency = z.string().max(3);

const snapshotSchema = z.object({
  /** Of the deployment: a name may be given again. */
  uid: z.string().min(1).max(64),
  deployment: z.string().min(1).max(253),
  /** Unix seconds. */
  at: amount,
  /** Sums of all that was until then. */
  replicaSeconds: amount,
  gpuSeconds: amount,
  /** What of that was seen to run has cost; by currency, since profiles change. */
  cost: z.record(currency, amount),
  /** The last that was known, for when the status has none. */
  price: z.object({ currency, perGpuHour: amount }).optional(),
});

export type Snapshot = z.output<typeof snapshotSchema>;

/** What of a deployment tells of its time. */
export type CountedDeployment = Pick<InferenceDeployment, 'metadata' | 'status'>;

/** What an object holds; others are not ours. */
export const snapshotsSchema = z.object({ snapshots: z.array(snapshotSchema) });

/**
 * Returns what a deployment of which nothing is kept begins with: nothing at its creation where that was from `knownFrom` on,
 * and else its sums at `now` (both in Unix seconds). Nobody knows when those came about, nor what they cost.
 */
export function firstSnapshot(
  { metadata: { creationTimestamp = '', name, uid = '' }, status }: CountedDeployment,
  now: number,
  knownFrom: number,
): Snapshot {
  const created = Math.min(Math.floor(Date.parse(creationTimestamp) / 1_000) || now, now);
  const named = { uid, deployment: name, cost: {} };
  if (created >= knownFrom) return { ...named, at: created, replicaSeconds: 0, gpuSeconds: 0 };
  return { ...named, at: now, ...totalsAt(status?.usage ?? {}, now) };
}

/**
 * Returns the sums of the deployment at `now` (Unix seconds) after `before`, the last snapshot of it. The time since then
 * costs what an accelerator costs now, or did when that was last known; replicas without any count as one. Sums do not go
 * back: an end that became known late is made up for by what comes.
 */
export function snapshotOf({ metadata: { name }, status }: CountedDeployment, before: Snapshot, now: number): Snapshot {
  // A clock that was set back must not put what comes before what was.
  const at = Math.max(now, before.at);
  const totals = totalsAt(status?.usage ?? {}, at);
  const replicaSeconds = Math.max(before.replicaSeconds, totals.replicaSeconds);
  const gpuSeconds = Math.max(before.gpuSeconds, totals.gpuSeconds);
  const paid = gpuSeconds - before.gpuSeconds || replicaSeconds - before.replicaSeconds;
  const price = priceOf(status) ?? before.price;
  const cost = price === undefined ? before.cost : costAfter(before.cost, paid, price);
  return { uid: before.uid, deployment: name, at, replicaSeconds, gpuSeconds, cost, ...(price && { price }) };
}

function priceOf(status: InferenceDeployment['status']): Snapshot['price'] {
  const { currency: paidIn, perGpuHour } = status?.cost ?? {};
  return paidIn === undefined || perGpuHour === undefined
    ? undefined
    : { currency: paidIn, perGpuHour: Number(perGpuHour) };
}

function costAfter(
  before: Snapshot['cost'],
  seconds: number,
  { currency: paidIn, perGpuHour }: NonNullable<Snapshot['price']>,
): Snapshot['cost'] {
  if (seconds === 0) return before;
  return { ...before, [paidIn]: (before[paidIn] ?? 0) + (seconds / 3_600) * perGpuHour };
}

/** Returns `after` with each of its sums at least as large as before: two processes that kept them may differ a little. */
export function raised(after: Snapshot, before: Snapshot): Snapshot {
  const cost = { ...after.cost };
  for (const [paidIn, sum] of Object.entries(before.cost)) cost[paidIn] = Math.max(cost[paidIn] ?? 0, sum);
  return {
    ...after,
    replicaSeconds: Math.max(after.replicaSeconds, before.replicaSeconds),
    gpuSeconds: Math.max(after.gpuSeconds, before.gpuSeconds),
    cost,
  };
}

/** Returns the snapshots in the order of their time, of one deployment and time one: with the larger of the sums. */
export function merged(snapshots: readonly Snapshot[]): Snapshot[] {
  const kept = new Map<string, Snapshot>();
  for (const snapshot of snapshots) {
    const id = `${snapshot.at} ${snapshot.uid}`;
    const known = kept.get(id);
    kept.set(id, known === undefined ? snapshot : raised(snapshot, known));
  }
  return [...kept.values()].toSorted((a, b) => a.at - b.at || (a.uid < b.uid ? -1 : 1));
}

/** Returns the last snapshot of each deployment, by its UID. */
export function latest(snapshots: readonly Snapshot[]): Map<string, Snapshot> {
  return new Map(merged(snapshots).map((snapshot) => [snapshot.uid, snapshot]));
}
