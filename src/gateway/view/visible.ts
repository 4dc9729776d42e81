/** The deployments that a key may see, as they are now. */
import type { APIKey } from '../../api/generated/api-key.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Informer } from '../../kube/informer.ts';
import { idOf, reachOf } from '../reach.ts';
import type { AuthenticatedKey } from '../types.ts';
import type { Viewer } from './convert.ts';

/** What of the informers is used. */
export interface ViewCaches {
  inferenceDeployments: Pick<Informer<InferenceDeployment>, 'onChange' | 'byIndex' | 'get'>;
  apiKeys: Pick<Informer<APIKey>, 'onChange' | 'get'>;
}

/** Returns those that the key reaches, by id. */
export function visibleTo(key: AuthenticatedKey, caches: ViewCaches): InferenceDeployment[] {
  return caches.inferenceDeployments
    .byIndex('reachedFrom', key.namespace)
    .filter(reachOf(key, caches.apiKeys.get(key)))
    .toSorted((a, b) => (idOf(a, key.namespace) < idOf(b, key.namespace) ? -1 : 1));
}

/** Returns the one of this id, `[NAMESPACE/]NAME`; undefined where there is none, or none that the key reaches. */
export function findVisible(key: AuthenticatedKey, id: string, caches: ViewCaches): InferenceDeployment | undefined {
  const slash = id.indexOf('/');
  const namespace = slash === -1 ? key.namespace : id.slice(0, slash);
  const resource = caches.inferenceDeployments.get({ namespace, name: id.slice(slash + 1) });
  return resource !== undefined && reachOf(key, caches.apiKeys.get(key))(resource) ? resource : undefined;
}

export function viewerOf({ namespace, scopes }: AuthenticatedKey): Viewer {
  return { namespace, isAdmin: scopes.has('admin') };
}
