/** The informers of the gateway: deployments, where their replicas are, and keys. */
import type { APIKey } from '../api/generated/api-key.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { Endpoint, EndpointSlice } from '../api/kubernetes.ts';
import { DEPLOYMENT_LABEL, DEPLOYMENT_UID_LABEL, SERVICE_NAME_LABEL } from '../api/labels.ts';
import { modelNameKeys } from '../api/model-names.ts';
import { apiKeys, endpointSlices, inferenceDeployments } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import type { Logger } from '../kube/types.ts';
import { decodeDeployment, identityOf } from './decode.ts';
import { reachedFrom } from './reach.ts';

export interface Caches {
  inferenceDeployments: Informer<InferenceDeployment>;
  endpointSlices: Informer<EndpointSlice>;
  apiKeys: Informer<APIKey>;
}

export interface CacheOptions {
  client: KubeClient;
  /** The only namespace whose deployments are served; all when absent. */
  watchNamespace: string | undefined;
  relistIntervalMs: number;
  logger: Logger;
  metrics: KubeMetrics;
}

/** By which names a deployment may be asked for, from which namespaces, and by whom it is told of. */
export const DEPLOYMENT_INDEXES = {
  modelName: modelNameKeys,
  reachedFrom,
  uid: ({ metadata: { uid = '' } }: InferenceDeployment) => [uid],
};

/** Returns the informers, not started. Slices are found by the `uid` of their deployment. */
export function createCaches(options: CacheOptions): Caches {
  const { watchNamespace, ...rest } = options;
  const common = { ...rest, ...(watchNamespace !== undefined && { namespace: watchNamespace }) };
  return {
    inferenceDeployments: new Informer({
      ...common,
      resource: inferenceDeployments,
      decode: decodeDeployment,
      indexes: DEPLOYMENT_INDEXES,
    }),
    endpointSlices: new Informer({
      ...common,
      resource: endpointSlices,
      // Slices carry the labels of their Service.
      labelSelector: DEPLOYMENT_LABEL,
      decode: decodeSlice,
      indexes: { uid: ({ metadata }) => [metadata.labels?.[DEPLOYMENT_UID_LABEL] ?? ''] },
    }),
    apiKeys: new Informer({
      ...common,
      resource: apiKeys,
      decode: ({ metadata, spec }) => ({ metadata: identityOf(metadata), spec }),
    }),
  };
}

function decodeSlice({ metadata, addressType, ports, endpoints }: EndpointSlice): EndpointSlice {
  const labels = Object.fromEntries(
    [DEPLOYMENT_LABEL, DEPLOYMENT_UID_LABEL, SERVICE_NAME_LABEL].map((label) => [
      label,
      metadata.labels?.[label] ?? '',
    ]),
  );
  return {
    metadata: { ...identityOf(metadata), labels },
    addressType,
    ports: (ports ?? []).map(({ name, port }) => ({ name: name ?? null, port: port ?? null })),
    endpoints: (endpoints ?? []).map(decodeEndpoint),
  };
}

function decodeEndpoint({ addresses, conditions, targetRef }: Endpoint): Endpoint {
  return {
    addresses: addresses.slice(0, 1),
    conditions: { ready: conditions?.ready ?? null, terminating: conditions?.terminating ?? null },
    ...(targetRef && { targetRef: { kind: targetRef.kind ?? '', uid: targetRef.uid ?? '' } }),
  };
}
