/**
 * Pure: how a scale-down takes the replicas that have the least to do, after their last request. A victim is marked
 * first; every gateway acknowledges the mark and stops to send it anything; when none of them has a request on it any
 * more, or the drain timeout is over, the count is lowered and Kubernetes removes the marked ones.
 *
 * ReplicaSets remove replicas that are not ready before any other, whatever the marks say: while there is one, the
 * scale-down takes that one and marks nobody.
 */

export interface LiveReplica {
  podUid: string;
  ready: boolean;
  /** When it was marked, in Unix milliseconds; undefined where it is not. */
  markedAtMs: number | undefined;
  createdAtMs: number;
  /** Requests in flight over all gateways. */
  inFlight: number;
}

export interface ScaleDownInput {
  wanted: number;
  /** The count that the Deployment has now. */
  current: number;
  /** Replicas that are neither ended nor terminating. */
  replicas: readonly LiveReplica[];
  /** Kubernetes has not seen the Deployment's last change, so that nobody knows yet whether it rolls out. */
  unobserved: boolean;
  /** Pods of two revisions run: Kubernetes chooses among them by rules of its own. */
  rollingOut: boolean;
  /** Whether every gateway has said of the pod that it sends it nothing and has no request on it. */
  isDrained: (podUid: string) => boolean;
  /** A gateway that may hold requests is silent. */
  isPartial: boolean;
  drainTimeoutMs: number;
  /** When this leader's term began, in Unix milliseconds: marks that were there count as made then. */
  sinceMs: number;
  /** Whoever suspends a deployment waits for no request. */
  suspended: boolean;
  /** Unix milliseconds. */
  nowMs: number;
}

export interface ScaleDownStep {
  /** The count to set; as it is where nothing is to change yet. */
  replicas: number;
  /** Pods to mark, and those whose mark is to be taken back. */
  mark: LiveReplica[];
  unmark: LiveReplica[];
  /** Marked ones that are still waited for. */
  waitsFor: LiveReplica[];
  /** Until the drain timeout of those, or the next look where that does not count. */
  waitMs?: number;
}

/** Most marks at one time: they stand in the status. */
export const MAX_MARKS = 32;

/** A gateway that is silent may come back, or its pod may go, which nobody tells. */
const SILENT_RETRY_MS = 5_000;

/** Returns the next step from `current` to `wanted` replicas. */
export function planScaleDown(input: ScaleDownInput): ScaleDownStep {
  const { current, wanted, replicas } = input;
  const marked = replicas.filter(({ markedAtMs }) => markedAtMs !== undefined);
  // While there are more than are to be, Kubernetes has yet to remove the marked ones.
  const at = (count: number): ScaleDownStep => ({
    replicas: count,
    mark: [],
    unmark: replicas.length > count ? [] : marked,
    waitsFor: [],
  });
  const excess = current - wanted;
  if (excess <= 0 || (wanted === 0 && input.suspended)) return at(wanted);
  if (input.unobserved) return at(current);
  if (input.rollingOut) return at(wanted);
  if (replicas.length > current) return at(current);
  // Pods that are yet to be created count as not ready, too.
  const ready = replicas.filter((replica) => replica.ready);
  const notReady = Math.max(0, current - ready.length);
  if (notReady >= excess) return at(wanted);
  if (notReady > 0) return at(current - notReady);
  return drain(input, ready, Math.min(excess, MAX_MARKS));
}

/** All replicas are ready, and `count` of them are to go. */
function drain(input: ScaleDownInput, ready: readonly LiveReplica[], count: number): ScaleDownStep {
  const { current, drainTimeoutMs, isDrained, nowMs, replicas, sinceMs, wanted } = input;
  const order = ready.toSorted(compareVictims);
  const victims = order.slice(0, count);
  const mark = victims.filter(({ markedAtMs }) => markedAtMs === undefined);
  const unmark = replicas.filter((replica) => replica.markedAtMs !== undefined && !victims.includes(replica));
  // A gateway that is silent may hold requests for the last replicas, which nothing would serve any more.
  const untimed = wanted === 0 && input.isPartial;
  const leftMs = ({ markedAtMs = nowMs }: LiveReplica): number =>
    Math.max(markedAtMs, sinceMs) + drainTimeoutMs - nowMs;
  const waitsFor = victims.filter(
    (victim) => victim.markedAtMs === undefined || (!isDrained(victim.podUid) && (untimed || leftMs(victim) > 0)),
  );
  // All together: Kubernetes knows only how many are to go, so that one that is done cannot be told from one that is not.
  if (waitsFor.length === 0) return { replicas: current - victims.length, mark, unmark, waitsFor };
  const waitMs = Math.max(untimed ? SILENT_RETRY_MS : 0, ...waitsFor.map(leftMs));
  return { replicas: current, mark, unmark, waitsFor, waitMs };
}

/** Marked ones first, since they have begun to drain; then the least work; then the youngest, whose cache is worth least. */
function compareVictims(a: LiveReplica, b: LiveReplica): number {
  const marks = Number(a.markedAtMs === undefined) - Number(b.markedAtMs === undefined);
  return (
    marks ||
    (a.markedAtMs ?? 0) - (b.markedAtMs ?? 0) ||
    a.inFlight - b.inFlight ||
    b.createdAtMs - a.createdAtMs ||
    (a.podUid < b.podUid ? -1 : 1)
  );
}
