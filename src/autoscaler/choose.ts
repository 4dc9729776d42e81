/** Pure: from what the parts of the rule want, and what is kept of before, to one count and its reason. */
import type { ScalingReason } from './explain.ts';
import type { Kept } from './missed.ts';
import type { ReplicaCounts, ScalingTargets } from './observation.ts';
import { highest, type Recommendations } from './recommendations.ts';

export interface Choice {
  wanted: number;
  reason: ScalingReason;
  /** What the load needs now, whatever is kept of before. */
  needed: number;
  /** Why more are kept than the stabilisation window asks for. */
  keptBecause?: Kept['because'];
  /** One fewer would serve what comes, with nothing to spare. */
  isClose?: boolean;
  /** What batches need, where that is more than anything else does. */
  batchReplicas?: number;
}

/** Returns what is wanted; `state` is what is kept of before, `candidates` are what the parts of the rule want. */
export function choose(
  state: { recommendations: Recommendations; kept: Kept; busyAtMs: number },
  candidates: Record<'rate' | 'settled' | 'latency' | 'saturation' | 'batch', number>,
  { current, ready, blocked, blockedBy }: ReplicaCounts,
  { minReplicas, idleMs }: ScalingTargets,
  nowMs: number,
): Choice {
  const { kept } = state;
  const idleForMs = nowMs - state.busyAtMs;
  const isIdle = idleForMs >= idleMs;
  if (minReplicas === 0 && isIdle && kept.replicas === 0) return { wanted: 0, reason: 'ScaledToZero', needed: 0 };
  const { rate, latency, saturation, batch } = candidates;
  const isAsleep = current === 0 && idleForMs > 0;
  const online = Math.max(rate, latency, saturation);
  const needed = Math.max(isAsleep ? 0 : 1, online, batch);
  const forBatches = batch > online && { batchReplicas: batch };
  // Where most can run, the few that fail are no reason to leave the load to those that are there.
  const isStuck = blockedBy === 'Failing' ? blocked > ready : blocked > 0;
  if (needed > current && (!isStuck || current === 0)) {
    return { wanted: needed, reason: upReason(needed, current, candidates), needed, ...forBatches };
  }
  const lasting = highest(state.recommendations);
  // What there is no room for is not kept: nobody waits for the like of it.
  const keepable = Math.min(kept.replicas, blockedBy === 'WaitingForGPU' ? current - blocked : current);
  const wanted = Math.min(current, Math.max(needed, lasting, keepable));
  // Nothing more is asked for, and what was asked for is not there.
  if (blocked > 0 && needed > current - blocked) {
    return { wanted, reason: blockedBy === 'Failing' ? 'ReplicasFailing' : 'WaitingForGPU', needed, ...forBatches };
  }
  const isKept = keepable > lasting;
  return {
    wanted,
    needed,
    ...(isKept && { keptBecause: kept.because }),
    ...atRest(wanted, needed, { settled: candidates.settled, minReplicas, idleForMs, isKept, forBatches }),
  };
}

/** Why that many stay. */
function atRest(
  wanted: number,
  needed: number,
  {
    settled,
    minReplicas,
    idleForMs,
    isKept,
    forBatches,
  }: {
    settled: number;
    minReplicas: number;
    idleForMs: number;
    isKept: boolean;
    forBatches: false | { batchReplicas: number };
  },
): Pick<Choice, 'reason' | 'isClose' | 'batchReplicas'> {
  if (wanted > Math.max(needed, settled, minReplicas)) return { reason: 'Stabilizing', ...forBatches };
  if (wanted <= minReplicas) return { reason: 'MinReplicas', ...forBatches };
  if (wanted === 1 && idleForMs > 0) return { reason: isKept ? 'Stabilizing' : 'Idle' };
  if (wanted > needed) return { reason: 'Steady', isClose: true };
  return { reason: forBatches ? 'Batches' : 'Steady', ...forBatches };
}

function upReason(
  needed: number,
  current: number,
  { rate, latency, saturation }: Record<'rate' | 'latency' | 'saturation', number>,
): ScalingReason {
  if (current === 0) return 'Waking';
  if (needed === rate) return 'RequestRate';
  if (needed === latency) return 'Latency';
  return needed === saturation ? 'Saturated' : 'Batches';
}
