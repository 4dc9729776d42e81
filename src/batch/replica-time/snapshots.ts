/** Pure: the sums of a deployment's status → what is kept of them, and from that of its time and cost from hour to hour. */
import { z } from 'zod';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { totalsAt } from '../../api/replica-time.ts';

const amount = z.number().min(0);

const snapshotSchema = z.object({
  /** Of the deployment: a name may be given again. */
  uid: z.string().min(1).max(64),
  deployment: z.string().min(1).max(253),
  /** From when on the first of its sums is, in Unix seconds. */
  created: amount,
  /** Unix seconds. */
  at: amount,
  /** Sums of all that was until then. */
  replicaSeconds: amount,
  gpuSeconds: amount,
  /** What that has cost; by currency, since profiles change. */
  cost: z.record(z.string().max(3), amount),
});

export type Snapshot = z.output<typeof snapshotSchema>;

/** What an object holds; others are not ours. */
export const snapshotsSchema = z.object({ snapshots: z.array(snapshotSchema) });

/**
 * Returns the sums of the deployment at `now` (Unix seconds) after `before`, the snapshot that was kept last of it. The time
 * since then costs what an accelerator costs now; replicas without any count as one. Sums do not go back: an end that
 * became known late is made up for by what comes.
 */
export function snapshotOf(
  { metadata: { creationTimestamp = '', name, uid = '' }, status }: InferenceDeployment,
  before: Snapshot | undefined,
  now: number,
): Snapshot {
  const created = Math.min(Math.floor(Date.parse(creationTimestamp) / 1_000) || now, now);
  const last = before ?? { created, at: created, replicaSeconds: 0, gpuSeconds: 0, cost: {} };
  // A clock that was set back must not put what comes before what was.
  const at = Math.max(now, last.at);
  const totals = totalsAt(status?.usage ?? {}, at);
  const replicaSeconds = Math.max(last.replicaSeconds, totals.replicaSeconds);
  const gpuSeconds = Math.max(last.gpuSeconds, totals.gpuSeconds);
  const paid = gpuSeconds - last.gpuSeconds || replicaSeconds - last.replicaSeconds;
  const cost = costAfter(last.cost, paid, status?.cost);
  return { uid, deployment: name, created: last.created, at, replicaSeconds, gpuSeconds, cost };
}

function costAfter(
  before: Snapshot['cost'],
  seconds: number,
  { currency, perGpuHour }: NonNullable<InferenceDeployment['status']>['cost'] = {},
): Snapshot['cost'] {
  if (currency === undefined || perGpuHour === undefined) return before;
  return { ...before, [currency]: (before[currency] ?? 0) + (seconds / 3_600) * Number(perGpuHour) };
}

/** Returns the snapshots in the order of their time, of one deployment and time one: that with the larger sums. */
export function merged(snapshots: readonly Snapshot[]): Snapshot[] {
  const kept = new Map<string, Snapshot>();
  for (const snapshot of snapshots) {
    const id = `${snapshot.at} ${snapshot.uid}`;
    const known = kept.get(id);
    if (known === undefined || known.replicaSeconds < snapshot.replicaSeconds) kept.set(id, snapshot);
  }
  return [...kept.values()].toSorted((a, b) => a.at - b.at || (a.uid < b.uid ? -1 : 1));
}

/** Returns the last snapshot of each deployment, by its UID. */
export function latest(snapshots: readonly Snapshot[]): Map<string, Snapshot> {
  return new Map(merged(snapshots).map((snapshot) => [snapshot.uid, snapshot]));
}
