/**
 * Pure: which decision stands. The rule decides every few seconds, on numbers that change each time; what stands, and is
 * written and shown, changes only with the count, the reason or the limit.
 */
import type { EffectiveSpec } from '../api/defaults.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import { findCondition } from '../kube/conditions.ts';
import { contentHash } from '../kube/hash.ts';
import type { Decision } from './decision.ts';
import type { ScalingReason } from './explain.ts';
import type { LiveCount } from './live-count.ts';
import type { ScalingTargets } from './observation.ts';

/** A decision as passes act on it. Where others keep writing the count, it is theirs. */
export interface Standing extends Omit<Decision, 'reason' | 'candidates'> {
  reason: ScalingReason | 'ReplicasContested';
}

/** What a decision is adopted by. */
export interface Adoption {
  standing: Standing;
  decision: Decision;
  targets: ScalingTargets;
  /** A request came, waits for a replica or is on one, by the word of any gateway. */
  hasWork: boolean;
  /** Every gateway was heard of. */
  fresh: boolean;
  /** For how long not every gateway was heard of. */
  staleMs: number;
  /** Since the standing decision's reason or limit last changed. */
  steadyMs: number;
  /** For how long the rule has given the same reason and limit. */
  saidMs: number;
}

/** Until then silence may be a change of leaders or gateways. */
export const STALE_AFTER_MS = 30_000;
/** A reason that comes and goes with each decision would be a write each time. */
const REASON_INTERVAL_MS = 15_000;
/** A load near a bound is above and below it by turns: what limits it is told at once, that nothing does after this. */
const SETTLED_MS = 60_000;

const REASONS: ReadonlySet<string> = new Set<ScalingReason>([
  'MinReplicas',
  'AtMax',
  'RequestRate',
  'Latency',
  'Saturated',
  'Batches',
  'Stabilizing',
  'Steady',
  'WaitingForGPU',
  'ReplicasFailing',
  'SignalStale',
  'Idle',
  'ScaledToZero',
  'Waking',
]);

/** Returns the rule's targets of a spec. */
export function targetsOf(spec: EffectiveSpec): ScalingTargets {
  const { minReplicas, maxReplicas, scaling, model, hardwareProfile, engine, adapters } = spec;
  return {
    minReplicas,
    maxReplicas,
    targetRps: scaling.targetRps,
    targetLatencyMs: scaling.targetLatencyP95Ms,
    stabilizationMs: scaling.stabilizationWindowSeconds * 1_000,
    idleMs: scaling.idleSeconds * 1_000,
    capacityKey: contentHash({ model, hardwareProfile, engine, adapters }).slice(0, 10),
  };
}

/** Stands while `spec.suspend` is set. */
export const SUSPENDED: Standing = {
  replicas: 0,
  reason: 'Suspended',
  message: 'Stopped by spec.suspend; set it to false to start again.',
};

/** Returns what stands for a deployment that nothing is known of: its floor. */
export function atFloor({ minReplicas }: ScalingTargets): Standing {
  return minReplicas === 0
    ? { replicas: 0, reason: 'ScaledToZero', message: 'No request came for spec.scaling.idleSeconds.' }
    : { replicas: minReplicas, reason: 'MinReplicas', message: 'The load needs no more than spec.minReplicas.' };
}

const KEPT = 'Holds the replicas that there were.';

/**
 * Returns what stood before this process led, by the status and, where there is none, by the count that the Deployment
 * has. That count stands, too, where it is a decision which the leader before carried out and did not live to tell.
 */
export function standingOf(
  status: InferenceDeploymentStatus | undefined,
  live: LiveCount,
  targets: ScalingTargets,
): Standing {
  const floor = atFloor(targets);
  const told = status?.scaling;
  const kept: Standing = { replicas: live.replicas, reason: 'Steady', message: KEPT };
  if (told?.desiredReplicas === undefined) {
    return live.replicas > floor.replicas ? within(targets, kept) : floor;
  }
  if (told.reason === SUSPENDED.reason) return floor;
  if (live.isDecided && live.replicas > told.desiredReplicas) return within(targets, kept);
  const { desiredReplicas: replicas, message = '', reason = '' } = told;
  // In the words of this version.
  if (replicas === floor.replicas && reason === floor.reason) return floor;
  const limitedBy = limitOf(status);
  // What another version or a contest said is no word of this rule.
  const said = REASONS.has(reason)
    ? { reason: reason as ScalingReason, message }
    : { reason: 'Steady' as const, message: KEPT };
  return within(targets, { replicas, ...said, ...(limitedBy && { limitedBy }) });
}

function limitOf(status: InferenceDeploymentStatus | undefined): Standing['limitedBy'] {
  const limited = findCondition(status?.conditions, 'ScalingLimited');
  return limited?.status === 'True' ? (limited.reason as Standing['limitedBy']) : undefined;
}

/** Returns `standing` held to the bounds of the spec as it is now. */
export function within(targets: ScalingTargets, standing: Standing): Standing {
  const { minReplicas, maxReplicas } = targets;
  if (standing.replicas < minReplicas) return atFloor(targets);
  if (standing.replicas > maxReplicas) {
    return { replicas: maxReplicas, reason: 'AtMax', message: 'Holds spec.maxReplicas, which was lowered.' };
  }
  return standing;
}

/** Returns what stands after the rule's `decision`: the same object where nothing changes. */
export function adopt(input: Adoption): Standing {
  const { standing, steadyMs } = input;
  const next = within(input.targets, heeded(input));
  if (next.replicas !== standing.replicas) return next;
  const same = next.reason === standing.reason && next.limitedBy === standing.limitedBy;
  if (same || steadyMs < REASON_INTERVAL_MS) return standing;
  const isNews = next.reason === 'SignalStale' || standing.reason === 'SignalStale' || isNewLimit(next, standing);
  return isNews || input.saidMs >= SETTLED_MS ? next : standing;
}

function isNewLimit({ limitedBy }: Standing, before: Standing): boolean {
  return limitedBy !== undefined && limitedBy !== before.limitedBy;
}

/** The decision, as far as it may be followed. */
function heeded({ decision, fresh, hasWork, staleMs, standing }: Adoption): Standing {
  const { candidates: _, ...decided } = decision;
  const isZero = standing.replicas === 0;
  if (isZero && hasWork && (!fresh || decided.replicas === 0)) {
    // Whatever the other gateways say, and the rule: the request is there.
    return { replicas: 1, reason: 'Waking', message: 'A request came while there was no replica.' };
  }
  // What is not known changes no count, and a moment without word is nothing to tell.
  if (!fresh) {
    const { limitedBy } = standing;
    const held = { ...decided, replicas: standing.replicas, ...(limitedBy && { limitedBy }) };
    return staleMs >= STALE_AFTER_MS ? held : standing;
  }
  // Nothing wakes what nobody asks for.
  return isZero && !hasWork && decided.replicas > 0 ? standing : decided;
}
