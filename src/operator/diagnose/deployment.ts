/** Pure: what Kubernetes says of a Deployment as a whole → why it has no replicas, or has them too late. */
import type { ReplicaReason } from '../../api/conditions.ts';
import type { Deployment } from '../../api/kubernetes.ts';
import type { Problem, ReplicaContext } from './context.ts';
import { hostileText, withoutFullStop } from './messages.ts';

/** Why the ReplicaSet could not create pods: quota, limits, a class that is missing, a policy. */
export function podsRefused(deployment: Deployment | undefined, context: ReplicaContext): Problem | undefined {
  const failure = deployment?.status?.conditions?.find(
    (condition) => condition.type === 'ReplicaFailure' && condition.status === 'True',
  );
  if (failure === undefined) return undefined;
  // `pods "infer-a-6d4c-x2x" is forbidden: exceeded quota: ...`: the generated name changes with each try.
  const said = withoutFullStop(hostileText((failure.message ?? '').replace(/^pods "[^"]*" is forbidden: /, '')));
  if (said.includes('exceeded quota')) {
    return {
      reason: 'QuotaExceeded',
      message: `The namespace's ResourceQuota has no room for another replica: ${said}. Raise the quota or lower minReplicas.`,
    };
  }
  const after = 'Kubernetes refuses to create replicas';
  return { reason: 'PodsRefused', message: `${after}: ${said}. ${wayOut(said, context)}`, quote: { after } };
}

function wayOut(said: string, { namespace, profileName }: ReplicaContext): string {
  const [, priorityClass] = /no PriorityClass with name (\S+) was found/.exec(said) ?? [];
  if (priorityClass !== undefined) {
    return `Create PriorityClass ${priorityClass}, or change priorityClassName of profile ${profileName}.`;
  }
  const [, runtimeClass] = /RuntimeClass "([^"]+)" not found/.exec(said) ?? [];
  if (runtimeClass !== undefined) {
    return `Create RuntimeClass ${runtimeClass}, or change runtimeClassName of profile ${profileName}.`;
  }
  if (/(?:maximum|minimum) \S+ usage per|must specify/.test(said)) {
    return `Change resources of profile ${profileName}, or the limits of the namespace: kubectl -n ${namespace} describe limitrange,quota`;
  }
  return 'Change what forbids it, or ask who looks after the cluster.';
}

/** Returns whether Kubernetes gave up waiting for the replicas of a rollout. */
export function deadlineExceeded(deployment: Deployment | undefined): boolean {
  return deployment?.status?.conditions?.some(({ reason }) => reason === 'ProgressDeadlineExceeded') ?? false;
}

const ON_THE_WAY: readonly ReplicaReason[] = ['Scheduling', 'Downloading', 'Loading'];

/**
 * Returns `problem` as it counts once the time to start is over: what every replica goes through is then a failure. Others
 * stay as they are, since they say more.
 */
export function overdue(problem: Problem | undefined, deployment: Deployment | undefined): Problem | undefined {
  if (problem === undefined || !ON_THE_WAY.includes(problem.reason) || !deadlineExceeded(deployment)) return problem;
  return {
    reason: 'StartupTimeout',
    message: `No replica was ready within startupTimeoutSeconds. ${problem.message} Raise spec.startupTimeoutSeconds if it needs longer, or see what it does: kubectl -n ${deployment?.metadata.namespace ?? ''} logs deployment/${deployment?.metadata.name ?? ''} --all-containers`,
  };
}
