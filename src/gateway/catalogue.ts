/** The informer of the catalogue, which stands in Infer's own namespace. */
import type { CatalogModel } from '../api/generated/catalog-model.ts';
import { catalogModels } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import type { Logger } from '../kube/types.ts';

/** Returns the informer, not started. Nothing is served by the catalogue: without it only GET /catalog is empty. */
export function createCatalogue(options: {
  client: KubeClient;
  /** Infer's own. */
  namespace: string;
  relistIntervalMs: number;
  logger: Logger;
  metrics: KubeMetrics;
}): Informer<CatalogModel> {
  return new Informer({
    ...options,
    resource: catalogModels,
    decode: ({ metadata: { name, namespace, uid, resourceVersion }, spec }) => ({
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
      spec,
    }),
  });
}
