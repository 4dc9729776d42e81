/** The informer of the batch process. */
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import { inferenceBatches } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import type { Logger } from '../kube/types.ts';

export interface BatchInformerOptions {
  client: KubeClient;
  /** The only namespace whose batches are served; all when absent. */
  watchNamespace: string | undefined;
  relistIntervalMs: number;
  logger: Logger;
  metrics: KubeMetrics;
}

/** Returns the informer of all batches, not started. */
export function createBatchInformer({ watchNamespace, ...options }: BatchInformerOptions): Informer<InferenceBatch> {
  return new Informer({
    ...options,
    ...(watchNamespace !== undefined && { namespace: watchNamespace }),
    resource: inferenceBatches,
    decode: ({ metadata: { managedFields: _managed, ...metadata }, spec, status }) => ({
      metadata,
      spec,
      ...(status && { status }),
    }),
  });
}
