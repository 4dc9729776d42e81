/** Writes `spec.replicas` of a Deployment and nothing else, as a field manager of its own. */
import { SCALER_MANAGER } from '../api/labels.ts';
import type { Deployment } from '../api/kubernetes.ts';
import { deployments } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import { ownersOf } from '../kube/managed-fields.ts';

/**
 * Makes the scaler own `replicas` of `live` with the value `replicas`. Returns the written Deployment, or undefined
 * when that was so already. The write carries uid and resourceVersion: a decision on an old state, or a Deployment
 * deleted and made again meanwhile, gets ApiError 409.
 */
export async function scale(client: KubeClient, live: Deployment, replicas: number): Promise<Deployment | undefined> {
  const owned = ownersOf(live, ['spec', 'replicas']).includes(SCALER_MANAGER);
  if (owned && live.spec.replicas === replicas) return undefined;
  const { name, namespace, uid, resourceVersion } = live.metadata;
  const intent = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    spec: { replicas },
  };
  return await client.apply(deployments, intent as unknown as Deployment, {
    fieldManager: SCALER_MANAGER,
    force: true,
  });
}
