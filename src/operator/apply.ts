/** Carries a plan out: server-side apply of each child, in an order in which no replica starts unprotected. */
import {
  deployments,
  jobs,
  networkPolicies,
  persistentVolumeClaims,
  podDisruptionBudgets,
  services,
} from '../api/resources.ts';
import type { Deployment, Job } from '../api/kubernetes.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Informer } from '../kube/informer.ts';
import type { KubeObject, Resource } from '../kube/types.ts';
import type { Caches } from './caches.ts';
import type { Children } from './gather.ts';
import type { Plan } from './plan.ts';

/**
 * Returns the Deployment as it is afterwards; undefined where there is none and none is to be made yet. Throws what the API server answered (ApiError) for the first child that
 * it refused; those before it stay applied, and the next pass goes on from there.
 */
export async function applyChildren(
  children: NonNullable<Plan['children']>,
  live: Children,
  applier: Applier,
  caches: Caches,
): Promise<Deployment | undefined> {
  const one = async <T extends KubeObject>(
    kind: Resource<T>,
    informer: Informer<T>,
    intent: T,
    current: T | undefined,
    ifUnchanged = false,
  ): Promise<T> => {
    const { object, changed } = await applier.apply(kind, intent, current, ifUnchanged);
    if (changed) informer.noteWrite(object);
    return object;
  };
  await one(networkPolicies, caches.networkPolicies, children.networkPolicy, live.networkPolicy);
  await one(podDisruptionBudgets, caches.podDisruptionBudgets, children.disruptionBudget, live.disruptionBudget);
  await one(services, caches.services, children.service, live.service);
  // Made once: most of a claim cannot be changed.
  if (children.cacheClaim && live.cacheClaim === undefined) {
    await one(persistentVolumeClaims, caches.persistentVolumeClaims, children.cacheClaim, undefined);
  }
  if (children.deployment === undefined) return live.deployment;
  // Until the hand-over the intent repeats the live `replicas`: from a stale cache it would undo the scaler's.
  const repeats = children.deployment.spec.replicas !== undefined;
  return await one(deployments, caches.deployments, children.deployment, live.deployment, repeats);
}

/**
 * Makes the wanted Jobs that are not there, and deletes the obsolete ones. After the children: a Job's pod needs their
 * NetworkPolicy, and its claim. Throws what the API server answered (ApiError).
 */
export async function applyJobs(
  { wanted, obsolete }: NonNullable<Plan['jobs']>,
  live: readonly Job[],
  { applier, caches, client }: { applier: Applier; caches: Caches; client: KubeClient },
): Promise<void> {
  for (const { metadata } of obsolete) {
    // Kubernetes' default for Jobs leaves their pods behind, with the token.
    await client.delete(jobs, metadata, { uid: metadata.uid, propagationPolicy: 'Background' });
  }
  // A Job cannot be changed, and the name stands for what it is to do.
  const isLive = (job: Job): boolean => live.some(({ metadata }) => metadata.name === job.metadata.name);
  for (const job of wanted.filter((one) => !isLive(one) && !caches.jobs.isBehind(one.metadata))) {
    const { object } = await applier.apply(jobs, job, undefined);
    caches.jobs.noteWrite(object);
  }
}
