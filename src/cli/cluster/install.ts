/** What the platform team has put into Infer's own namespace; who may not read there does without. */
import type { CatalogModel } from '../../api/generated/catalog-model.ts';
import type { HardwareProfile } from '../../api/generated/hardware-profile.ts';
import { catalogModels, hardwareProfiles } from '../../api/resources.ts';
import { ApiError } from '../../kube/errors.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { listAll } from './find.ts';

/** Returns the namespace that Infer is installed in: INFER_NAMESPACE, as the operator's own setting, else infer-system. */
export function systemNamespace({ env }: Pick<Context, 'env'>): string {
  return env['INFER_NAMESPACE'] || 'infer-system';
}

/** Returns the models of the catalogue, sorted by name; undefined where the user may not read them. */
export async function readCatalogue(context: Context): Promise<CatalogModel[] | undefined> {
  return await readOwn(context, catalogModels);
}

/** Returns the hardware profiles, sorted by name; undefined where the user may not read them. */
export async function readProfiles(context: Context): Promise<HardwareProfile[] | undefined> {
  return await readOwn(context, hardwareProfiles);
}

async function readOwn<T extends KubeObject>(context: Context, resource: Resource<T>): Promise<T[] | undefined> {
  const client = await context.kube();
  try {
    const objects = await listAll(client, resource, { namespace: systemNamespace(context), signal: context.signal });
    return objects.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}
