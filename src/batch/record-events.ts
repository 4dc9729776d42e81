/** What becomes an Event of a batch: each of its states, once. */
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import { findCondition } from '../kube/conditions.ts';
import type { EventRecorder } from '../kube/events.ts';

const WARNINGS: ReadonlySet<string> = new Set(['Failed', 'Expired']);
/** Batches whose last state is remembered. */
const MOST_REMEMBERED = 1_000;

/** Returns what to call with each batch as it was stored, and with how the cache has it. */
export function transitionRecorder(
  events: Pick<EventRecorder, 'record'>,
): (before: InferenceBatch | undefined, stored: InferenceBatch) => void {
  /** By UID: the cache may be behind what was written last. */
  const told = new Map<string, string>();
  return (cached, stored) => {
    const { uid = '', resourceVersion } = stored.metadata;
    // Or it has the write itself already, and says nothing of before.
    const before = cached?.metadata.resourceVersion === resourceVersion ? undefined : cached;
    const complete = findCondition(stored.status?.conditions, 'Complete');
    const last = told.get(uid) ?? findCondition(before?.status?.conditions, 'Complete')?.reason;
    if (complete === undefined || complete.reason === last) return;
    told.delete(uid);
    told.set(uid, complete.reason);
    const [oldest] = told.keys();
    if (told.size > MOST_REMEMBERED && oldest !== undefined) told.delete(oldest);
    const type = WARNINGS.has(complete.reason) ? 'Warning' : 'Normal';
    events.record(stored, { type, reason: complete.reason, message: complete.message, action: 'Run' });
  };
}
