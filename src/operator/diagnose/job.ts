import type { Job, Pod } from '../../api/kubernetes.ts';
import type { Problem, ReplicaContext } from './context.ts';

/** A Job as it is seen at `now`. */
export interface JobView {
  /** Undefined where it is still to be made. */
  job: Job | undefined;
  /** Its pods, the oldest first. */
  pods: readonly Pod[];
  now: Date;
}

/** Returns the Job of this name among `jobs`, and those of `jobPods` (of all Jobs, the oldest first) that it made. */
export function viewJob(
  name: string,
  { jobs, jobPods }: { jobs: readonly Job[]; jobPods: readonly Pod[] },
  now: Date,
): JobView {
  const job = jobs.find(({ metadata }) => metadata.name === name);
  const uid = job?.metadata.uid;
  const isMade = ({ metadata }: Pod): boolean => (metadata.ownerReferences ?? []).some((owner) => owner.uid === uid);
  return { job, pods: uid === undefined ? [] : jobPods.filter(isMade), now };
}

/** Kubernetes makes a Job's pod within a second or two. */
const NO_POD_MS = 10_000;

/**
 * Returns the problem of a Job for which Kubernetes makes no pod: a quota or a policy forbids it, which its event alone
 * tells. Undefined where it has one, or may get it yet.
 */
export function noPod({ job, pods, now }: JobView, { namespace }: ReplicaContext): Problem | undefined {
  const made = Date.parse(job?.metadata.creationTimestamp ?? '');
  if (pods.length > 0 || job === undefined || !(now.getTime() - made >= NO_POD_MS)) return undefined;
  const { name } = job.metadata;
  return {
    reason: 'PodsRefused',
    message: `Kubernetes makes no pod for Job ${name}, as where a quota or a policy forbids it; its event tells why: kubectl -n ${namespace} describe job ${name}`,
  };
}

/** Returns when to look again for the pod of a Job that has none yet. */
export function lookAgainForPod({ pods }: JobView): { lookAgainMs?: number } {
  return pods.length === 0 ? { lookAgainMs: NO_POD_MS } : {};
}
