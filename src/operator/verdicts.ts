/** Pure: the verdict of each condition. Messages are stable sentences without numbers that change. */
import type { ReplicaReason } from '../api/conditions.ts';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import type { Standing } from '../autoscaler/standing.ts';
import type { Condition } from '../kube/conditions.ts';
import type { Problem } from './diagnose/context.ts';
import { deadlineExceeded } from './diagnose/deployment.ts';
import { isReplacing, isUnderWay } from './rollout.ts';

export type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

export interface ProgressInput {
  deployment: Deployment | undefined;
  /** All of the Deployment. */
  pods: readonly Pod[];
  ready: number;
  desired: number;
  /** The worst that a replica suffers from. */
  problem: Problem | undefined;
  /** What keeps the spec from being carried out; undefined where nothing does. */
  held: Problem | undefined;
}

const SCALED_TO_ZERO: Verdict = {
  status: 'True',
  reason: 'ScaledToZero',
  message: 'No replica runs for want of requests; the next request waits while one starts.',
};

const WAKING: Verdict = {
  status: 'True',
  reason: 'Waking',
  message: 'The first replica starts; requests wait for it.',
};

/** Said of a deployment that comes up from zero, before and on the way. */
const FROM_ZERO: readonly string[] = [SCALED_TO_ZERO.reason, WAKING.reason];

export interface AvailableInput {
  ready: number;
  /** The worst that a replica suffers from. */
  problem: Problem | undefined;
  decision: Pick<Standing, 'replicas' | 'reason' | 'message'>;
  minReplicas: number;
  /** The reason that the condition had. */
  before: string | undefined;
}

/** Does a replica serve, or is there none on purpose? */
export function availableVerdict({ before, decision, minReplicas, problem, ready }: AvailableInput): Verdict {
  if (ready > 0) return { status: 'True', reason: 'Serving', message: 'At least one replica serves requests.' };
  if (decision.reason === 'Suspended') return { status: 'False', reason: decision.reason, message: decision.message };
  if (minReplicas === 0 && isInOrder(problem)) {
    if (decision.replicas === 0) return SCALED_TO_ZERO;
    // Where replicas served, those that start in their place are an outage's end, not the way up from zero.
    if ([decision.reason, before].some((reason) => reason !== undefined && FROM_ZERO.includes(reason))) return WAKING;
  }
  return { status: 'False', ...(problem ?? { reason: 'Scheduling', message: 'Kubernetes is creating the replicas.' }) };
}

/** Do all that are wanted serve? */
export function replicasReadyVerdict(ready: number, desired: number, problem: Problem | undefined): Verdict {
  if (ready >= desired) {
    return { status: 'True', reason: 'AllReady', message: 'Every replica that is wanted serves.' };
  }
  return { status: 'False', ...(problem ?? { reason: 'Scheduling', message: 'Kubernetes is creating the replicas.' }) };
}

/** The children are not as the spec wants them. */
const UNDONE: readonly ReplicaReason[] = ['ApplyFailed', 'WaitingForDeletion'];

/** What every replica goes through on its way. */
const PASSING: readonly ReplicaReason[] = ['Resolving', 'Scheduling', 'Downloading', 'Loading', 'Draining'];

/** What a replica that starts or goes in its time passes through. */
const IN_ORDER: readonly ReplicaReason[] = ['Scheduling', 'Downloading', 'Loading', 'Draining'];

function isInOrder(problem: Problem | undefined): boolean {
  return problem === undefined || IN_ORDER.includes(problem.reason);
}

/** Is a change under way, done, or stuck? The first that holds. */
export function progressingVerdict(input: ProgressInput): Verdict {
  const { deployment, held, pods, ready, desired } = input;
  // The Deployment is that of a former spec, if there is one.
  if (held) return { status: PASSING.includes(held.reason) ? 'True' : 'False', ...held };
  const rollingOut = deployment !== undefined && isUnderWay(deployment, pods);
  const stuck = stuckVerdict(input, rollingOut || ready < desired);
  if (stuck) return stuck;
  if (rollingOut) {
    const how = isReplacing(deployment) ? ', one at a time for want of room for one more' : '';
    return {
      status: 'True',
      reason: 'RollingOut',
      message: `Replicas of the new revision replace the old ones${how}.`,
    };
  }
  if (ready !== desired) {
    return { status: 'True', reason: 'Scaling', message: 'The number of serving replicas moves to the wanted one.' };
  }
  return { status: 'True', reason: 'Complete', message: 'All replicas run the wanted revision.' };
}

/** `moving`: replicas are still to come. Also where the old revision serves all that is wanted the new one may be stuck. */
function stuckVerdict({ deployment, problem }: ProgressInput, moving: boolean): Verdict | undefined {
  if (problem && UNDONE.includes(problem.reason)) return { status: 'False', ...problem };
  if (deadlineExceeded(deployment)) {
    const late = 'The replicas were not ready within startupTimeoutSeconds.';
    const message = problem?.reason === 'StartupTimeout' ? problem.message : `${late} ${problem?.message ?? ''}`;
    return { status: 'False', reason: 'DeadlineExceeded', message: message.trim() };
  }
  return moving && problem && !PASSING.includes(problem.reason) ? { status: 'False', ...problem } : undefined;
}

/** The summary: the first of the others that fails, else whether all or only some serve. */
export function readyVerdict(
  { accepted, model, available }: { accepted: Verdict; model?: Verdict; available: Verdict },
  ready: number,
  desired: number,
): Verdict {
  if (accepted.status === 'False') return accepted;
  // Where it holds the spec back. While the answer is still to come, the replicas of a former spec go on serving.
  if (model?.status === 'False') return model;
  if (available.status === 'False') return available;
  if (available.reason !== 'Serving') return available;
  return ready < desired
    ? {
        status: 'True',
        reason: 'ServingBelowMinimum',
        message: 'Serves with fewer replicas than wanted; see ReplicasReady.',
      }
    : { status: 'True', reason: 'Serving', message: 'Every replica that is wanted serves.' };
}
