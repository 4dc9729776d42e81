/** Pure: the pods of a preflight Job → what was found out about the model, or why nothing was yet. */
import type { ReplicaReason } from '../../api/conditions.ts';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import { parseResult, type ModelFacts, type PreflightFailure } from '../../preflight/result.ts';
import { PREFLIGHT_CONTAINER } from '../resources/preflight-job.ts';
import { hostileText } from './messages.ts';
import { blockedStart, lastEnd } from './container.ts';
import type { Problem, ReplicaContext } from './context.ts';
import { noPod, type JobView } from './job.ts';
import { saidOfPlace } from './scheduling.ts';

export type PreflightState =
  | { facts: ModelFacts }
  /** `Resolving` is no failure: the answer is still to come. */
  | { problem: Problem };

const RESOLVING: Problem = { reason: 'Resolving', message: 'Looks the model up at the hub.' };

const REASONS: Record<PreflightFailure['reason'], ReplicaReason> = {
  InvalidSettings: 'PreflightFailed',
  ModelNotFound: 'ModelNotFound',
  RevisionNotFound: 'ModelNotFound',
  ModelGated: 'ModelGated',
  TokenInvalid: 'TokenInvalid',
  NoSafetensors: 'ModelRefused',
  ModelRefused: 'ModelRefused',
  AdapterRefused: 'ModelRefused',
  HubUnreachable: 'HubUnreachable',
  Unexpected: 'PreflightFailed',
};

/**
 * Returns what the pods of the Job say. A failure stays while the kubelet tries again, so
 * that a steady one does not flap.
 */
export function diagnosePreflight(job: JobView, context: ReplicaContext): PreflightState {
  const states = job.pods.toReversed().map((pod) => podState(pod, context));
  const pending = noPod(job, context) ?? RESOLVING;
  return states.find((state) => 'facts' in state) ?? states[0] ?? { problem: pending };
}

function podState(pod: Pod, context: ReplicaContext): PreflightState {
  const container = pod.status?.containerStatuses?.find(({ name }) => name === PREFLIGHT_CONTAINER);
  const said = saidOfPlace(pod);
  if (said !== undefined) {
    return problem(
      'Unschedulable',
      `No node can take the pod that looks the model up: ${said}. Free some CPU or add a node.`,
    );
  }
  const blocked = container && blockedStart(container, context)?.problem;
  return blocked ? { problem: blocked } : (ended(container) ?? { problem: RESOLVING });
}

function ended(container: ContainerStatus | undefined): PreflightState | undefined {
  const end = container && lastEnd(container);
  if (end === undefined) return undefined;
  const result = parseResult(end.message);
  if (result === undefined) {
    const code = end.reason === 'OOMKilled' ? 'for want of memory' : `with exit code ${end.exitCode}`;
    return problem('PreflightFailed', `The look-up of the model ended ${code} and told nothing; it is tried again.`);
  }
  if ('facts' in result) return end.exitCode === 0 ? result : undefined;
  return problem(REASONS[result.failure.reason], hostileText(result.failure.message));
}

function problem(reason: ReplicaReason, message: string): PreflightState {
  return { problem: { reason, message } };
}
