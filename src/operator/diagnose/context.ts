/** What the parts of a diagnosis share. */
import type { ReplicaReason } from '../../api/conditions.ts';
import type { Pod } from '../../api/kubernetes.ts';

/** What the messages name. */
export interface ReplicaContext {
  namespace: string;
  /** The Deployment's name, for the commands that a message suggests. */
  deploymentName: string;
  profileName: string;
  /** For example `1 nvidia.com/gpu`; absent for a CPU profile. */
  accelerator?: string;
  tokenSecret?: { name: string; key: string };
  /** imagePullSecrets of the profile. */
  pullSecrets?: readonly string[];
  startupTimeoutSeconds: number;
}

export interface Problem {
  reason: ReplicaReason;
  message: string;
  /**
   * The message repeats, after this beginning, what Kubernetes said, which may change in numbers with each try (ports,
   * times); `vague`: it repeats nothing, since Kubernetes has not said it this time.
   */
  quote?: { after: string; vague?: true };
  /** It may be of this reason, which Kubernetes has not said this time: where status tells that already, it goes on. */
  likely?: ReplicaReason;
}

export interface ReplicaState {
  phase: 'ready' | 'starting' | 'draining' | 'failed';
  /** Absent for a replica that serves. */
  problem?: Problem;
}

/** Returns the state of a replica that needs somebody to act. */
export function failed(reason: ReplicaReason, message: string, quote?: Problem['quote']): Required<ReplicaState> {
  return { phase: 'failed', problem: { reason, message, ...(quote && { quote }) } };
}

/** Returns the state of a replica that is on its way, or waits for its place. */
export function starting(reason: ReplicaReason, message: string): ReplicaState {
  return { phase: 'starting', problem: { reason, message } };
}

type PodCondition = NonNullable<NonNullable<Pod['status']>['conditions']>[number];

/** Returns the condition of `pod` of this type. */
export function conditionOf(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((candidate) => candidate.type === type);
}
