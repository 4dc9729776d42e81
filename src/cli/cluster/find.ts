/** Reads deployments from the cluster, and says what to do where there is none. */
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { nearNames } from '../near.ts';

const PAGE = 500;

/** Returns all objects of a kind, of all namespaces where `namespace` is undefined, in pages of 500. */
export async function listAll<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  scope: { namespace: string | undefined; labelSelector?: string; fieldSelector?: string; signal: AbortSignal },
): Promise<T[]> {
  const { namespace, ...rest } = scope;
  const items: T[] = [];
  let continueToken: string | undefined;
  do {
    const page = await client.list(resource, {
      ...rest,
      ...(namespace === undefined ? {} : { namespace }),
      ...(continueToken === undefined ? {} : { continueToken }),
      limit: PAGE,
    });
    items.push(...page.items);
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
  return items;
}

/** Returns the deployment `id` of the chosen namespace. Throws CliFailure with near names where there is none. */
export async function findDeployment(context: Context, id: string): Promise<InferenceDeployment> {
  const client = await context.kube();
  const namespace = await context.namespace();
  const { signal } = context;
  const found = await client.get(inferenceDeployments, { namespace, name: id }, { signal });
  if (found !== undefined) return found;
  const others = await listAll(client, inferenceDeployments, { namespace, signal });
  const names = others.map(({ metadata }) => metadata.name);
  const near = nearNames(id, names);
  const all = names.length <= 8 ? names : [...names.slice(0, 8), `and ${names.length - 8} more`];
  return context.fail(
    `There is no deployment ${id} in namespace ${namespace}.`,
    near.length > 0
      ? `Did you mean ${near.join(' or ')}?`
      : names.length > 0
        ? `It has: ${all.join(', ')}. "infer status --all" lists those of every namespace.`
        : 'It has none at all. "infer status --all" lists those of every namespace, -n chooses another one.',
    EXIT.notFound,
  );
}
