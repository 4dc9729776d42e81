/** Pure: what the scheduler says of a pod → why it has no node, and what to do. */
import type { Pod } from '../../api/kubernetes.ts';
import { conditionOf, starting, type ReplicaContext, type ReplicaState } from './context.ts';
import { hostileText } from './messages.ts';

/** A node that suits and has too little left. */
const TOO_LITTLE = /Insufficient|Too many pods/;
/** A node that suits may be among those that are out of service for now. */
const OUT_OF_SERVICE =
  /were unschedulable|node\.kubernetes\.io\/(?:not-ready|unreachable|unschedulable|out-of-service|network-unavailable|[a-z]+-pressure)/;
const UNSUITABLE = /affinity|selector|taint|no nodes available/;

/** Returns the state of a `pod` without a node; undefined where it has one. */
export function unscheduled(pod: Pod, context: ReplicaContext): ReplicaState | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status !== 'False') {
    return pod.spec?.nodeName === undefined && scheduled === undefined
      ? starting('Scheduling', 'Kubernetes is choosing a node.')
      : undefined;
  }
  const { reasons, tooLarge } = parse(scheduled.message ?? '');
  const said = hostileText(reasons.join(', '));
  if (reasons.length > 0 && reasons.every((reason) => /volume/i.test(reason))) return unusableVolume(said, context);
  return noNode(said, tooLarge, context);
}

/** Returns what keeps a pod of a Job from its node, in Kubernetes' words; undefined where it has one, or may get one. */
export function saidOfPlace(pod: Pod): string | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  return scheduled?.status === 'False' ? hostileText(parse(scheduled.message ?? '').reasons.join(', ')) : undefined;
}

/**
 * "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient nvidia.com/gpu. preemption: ..." → the distinct
 * reasons, so that status does not change with the number of nodes. What follows explains preemption only: it is "not
 * helpful" where even an empty node would be too small.
 */
function parse(message: string): { reasons: string[]; tooLarge: boolean } {
  const [first = '', ...rest] = message.replace(/^\d+\/\d+ nodes are available: /, '').split('. ');
  const reasons = first.split(/, (?=\d+ )/).map((reason) => reason.replace(/^\d+ /, '').replace(/\.$/, ''));
  const preemption = rest.join('. ');
  return {
    reasons: [...new Set(reasons)].filter((reason) => reason !== '').toSorted(),
    tooLarge: preemption.includes('Preemption is not helpful') && !preemption.includes('No preemption victims'),
  };
}

function unusableVolume(said: string, { namespace }: ReplicaContext): ReplicaState {
  const next = said.includes('unbound')
    ? `The claim waits for a volume: see kubectl -n ${namespace} get pvc`
    : said.includes('persistentvolumeclaim')
      ? `Create the claim in namespace ${namespace}, or name another in spec.model.claim.`
      : 'Check on which nodes the volume can be mounted, against nodeSelector of the profile.';
  return starting('Unschedulable', `The volume with the model cannot be used: ${said}. ${next}`);
}

function noNode(said: string, tooLarge: boolean, { profileName, accelerator }: ReplicaContext): ReplicaState {
  const takes = accelerator === undefined ? '' : `, which takes ${accelerator}`;
  if (TOO_LITTLE.test(said) && tooLarge) {
    const check = accelerator === undefined ? '' : 'the device plugin of the nodes, accelerator and ';
    return starting(
      'NoMatchingNode',
      `No node is large enough for profile ${profileName}${takes}: ${said}. Check ${check}resources.requests of the profile, or add such a node.`,
    );
  }
  if (UNSUITABLE.test(said) && !TOO_LITTLE.test(said) && !OUT_OF_SERVICE.test(said)) {
    return starting(
      'NoMatchingNode',
      `No node matches profile ${profileName}: ${said}. Check nodeSelector and tolerations of the profile against the labels and taints of the nodes, or add such a node.`,
    );
  }
  if (accelerator === undefined) {
    return starting(
      'Unschedulable',
      `No node can take a replica of profile ${profileName}: ${said}. Free capacity or change the profile.`,
    );
  }
  return starting(
    'WaitingForGPU',
    `No node has ${accelerator} free for profile ${profileName}: ${said}. ${wayToGpu(said)}`,
  );
}

function wayToGpu(said: string): string {
  if (!TOO_LITTLE.test(said)) return 'A node may be back soon: see kubectl get nodes';
  return /affinity|selector|taint/.test(said)
    ? 'Check the profile against the labels and taints of the nodes, or free such a node.'
    : 'Free a GPU, add a node, or lower minReplicas.';
}
