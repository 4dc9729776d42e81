/** Pure: how many requests of batches a deployment has room for, beside its online requests. */
import type { DeploymentLoad } from '../gateway.ts';

export interface Concurrency {
  /** Requests of batches that may be in flight on the deployment, whoever sends them. */
  readonly limit: number;
  /** Whether engines never said yet that requests wait: the limit doubles until then. */
  readonly doubling: boolean;
  /** Whether the limit was raised last, and not to the most there may be: engines may have room for more. */
  readonly growing: boolean;
  /** When the limit was changed last for what engines said, by a monotonic clock. */
  readonly changedAtMs: number;
  /** Of the looks since then: the fewest that waited in the engines, and the most that were under way. */
  readonly leastWaiting: number;
  readonly mostRequests: number;
}

/**
 * Engines tell with each answer what waits; the requests that a change let in have come to wait, or not, by then. In these
 * looks the fewest count: requests that end together are followed by as many that wait for the next step, for a moment.
 */
const SETTLED_AFTER_MS = 2000;

/** Fewer than any engine takes at once, on an engine that has nothing else to do. */
const FIRST_LIMIT_PER_REPLICA = 8;
const STEP_PER_REPLICA = 4;
const MOST_PER_REPLICA = 1024;
/** Bodies and answers are held in memory. */
const MOST = 4096;

/** A fuller cache makes engines throw out requests and compute them again. */
const FULL_CACHE = 0.9;
/** Of the limit: so many may wait in the engines, for their places never to be empty. */
const WAITING_SHARE = 0.05;
/** Without online requests for longer, the engine is the batches'. */
const ONLINE_GONE_MS = 10_000;

/** By how much batches may lengthen the time between two tokens of an online request. */
const SLOWDOWN = 0.15;
/**
 * A decoding step of n requests takes a + b·n, and in the tables measured a/b is about 70 requests. So m more lengthen a step
 * of n by m / (70 + n).
 */
const STEP_BASE_REQUESTS = 70;

const NO_LOOK = { leastWaiting: Number.POSITIVE_INFINITY, mostRequests: 0 };

export const FIRST_CONCURRENCY: Concurrency = {
  limit: 1,
  doubling: true,
  growing: true,
  changedAtMs: Number.NEGATIVE_INFINITY,
  ...NO_LOOK,
};

/** Returns the limit after one more look at the load; undefined where no gateway answered. */
export function nextConcurrency(
  before: Concurrency,
  load: DeploymentLoad | undefined,
  monotonicMs: number,
): Concurrency {
  if (load === undefined) return { ...before, limit: Math.max(1, Math.min(before.limit, FIRST_LIMIT_PER_REPLICA)) };
  // The one wakes the deployment, and is held until it is awake.
  if (load.replicas === 0) return FIRST_CONCURRENCY;
  const seen = {
    ...before,
    leastWaiting: Math.min(before.leastWaiting, load.engineWaiting),
    mostRequests: Math.max(before.mostRequests, load.batchRequests),
  };
  const settled = monotonicMs - before.changedAtMs >= SETTLED_AFTER_MS;
  const after = settled ? judged(seen, load, monotonicMs) : seen;
  const most = Math.min(roomBesideOnline(load), MOST, MOST_PER_REPLICA * load.replicas);
  return { ...after, limit: Math.min(after.limit, most), growing: after.growing && after.limit <= most };
}

function judged(seen: Concurrency, { replicas, kvCacheUsage }: DeploymentLoad, changedAtMs: number): Concurrency {
  const { limit, doubling, leastWaiting, mostRequests } = seen;
  const change = (next: number, more: boolean): Concurrency => ({
    limit: next,
    doubling: more,
    growing: next > limit,
    changedAtMs,
    ...NO_LOOK,
  });
  const spare = Math.max(replicas, Math.ceil(WAITING_SHARE * limit));
  // Those that wait beyond a few are too many.
  if (leastWaiting > 2 * spare) return change(Math.max(1, Math.min(limit, limit - leastWaiting + spare)), false);
  if (kvCacheUsage >= FULL_CACHE || leastWaiting >= spare) return change(limit, false);
  const first = FIRST_LIMIT_PER_REPLICA * replicas;
  if (doubling && limit < first) return change(first, true);
  if (mostRequests < 0.8 * limit) return change(limit, doubling);
  return change(doubling ? 2 * limit : limit + STEP_PER_REPLICA * replicas, doubling);
}

/** Returns how many requests of batches online requests can bear beside them; any number where there are none. */
function roomBesideOnline({ replicas, onlineRequests, onlineIdleMs, partial }: DeploymentLoad): number {
  if (onlineIdleMs > ONLINE_GONE_MS && !partial) return Number.POSITIVE_INFINITY;
  return Math.max(replicas, Math.floor(SLOWDOWN * (STEP_BASE_REQUESTS * replicas + onlineRequests)));
}

/** Returns how many of the limit this process may have in flight, beside `others` that other processes have. */
export function ownShare(limit: number, others: number, hasEarliestWindow: boolean): number {
  // Whose batch ends first takes all but one; the others see that at their next look, and leave it to it.
  if (others === 0) return limit;
  return hasEarliestWindow ? Math.max(1, limit - 1) : Math.max(1, limit - others);
}
