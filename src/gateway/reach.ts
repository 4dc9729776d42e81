/** Pure: which deployments a key reaches. */
import type { APIKey } from '../api/generated/api-key.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { AuthenticatedKey } from './types.ts';

/** Tells whether one deployment is reached. */
export type Reach = (deployment: InferenceDeployment) => boolean;

/** Returns what the key reaches by its resource as it is now; nothing where that is gone. */
export function reachOf(key: Pick<AuthenticatedKey, 'namespace'>, resource: APIKey | undefined): Reach {
  if (resource === undefined) return () => false;
  const { deployments } = resource.spec;
  return ({ metadata: { namespace = '', name }, spec: { allowKeysFrom } }) => {
    const own = namespace === key.namespace;
    if (!own && !allowKeysFrom?.includes(key.namespace)) return false;
    return (
      deployments === undefined || deployments.includes(`${namespace}/${name}`) || (own && deployments.includes(name))
    );
  };
}

/** Returns what a key of `from` sends as `model` for a deployment. */
export function idOf({ metadata: { namespace = '', name } }: InferenceDeployment, from: string): string {
  return namespace === from ? name : `${namespace}/${name}`;
}

/** Returns the namespaces whose keys may reach a deployment. */
export function reachedFrom({
  metadata: { namespace = '' },
  spec: { allowKeysFrom = [] },
}: InferenceDeployment): string[] {
  return [namespace, ...allowKeysFrom];
}
