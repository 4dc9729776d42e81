/** Carries a plan out: server-side apply of each child, in an order in which no replica starts unprotected. */
import { deployments, networkPolicies, podDisruptionBudgets, services } from '../api/resources.ts';
import type { Deployment } from '../api/kubernetes.ts';
import type { Applier } from '../kube/apply.ts';
import type { Informer } from '../kube/informer.ts';
import type { KubeObject, Resource } from '../kube/types.ts';
import type { Caches } from './caches.ts';
import type { Children } from './gather.ts';
import type { Plan } from './plan.ts';

/**
 * Returns the Deployment as it is afterwards. Throws what the API server answered (ApiError) for the first child that
 * it refused; those before it stay applied, and the next pass goes on from there.
 */
export async function applyChildren(
  children: NonNullable<Plan['children']>,
  live: Children,
  applier: Applier,
  caches: Caches,
): Promise<Deployment> {
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
  // Until the hand-over the intent repeats the live `replicas`: from a stale cache it would undo the scaler's.
  const repeats = children.deployment.spec.replicas !== undefined;
  return await one(deployments, caches.deployments, children.deployment, live.deployment, repeats);
}
