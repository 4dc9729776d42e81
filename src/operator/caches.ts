/** The informers of the operator: what it watches, which fields it keeps, and by what it looks things up. */
import { effectiveSpec } from '../api/defaults.ts';
import type { CatalogModel } from '../api/generated/catalog-model.ts';
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type {
  ControllerRevision,
  Deployment,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Service,
} from '../api/kubernetes.ts';
import {
  COMPONENT_LABEL,
  DEPLOYMENT_LABEL,
  DEPLOYMENT_UID_LABEL,
  DRAINING_SINCE_ANNOTATION,
  GATEWAY_POD_LABELS,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  FETCH_COMPONENT,
  PREFLIGHT_COMPONENT,
  REPLICA_COMPONENT,
  REVISION_LABEL,
} from '../api/labels.ts';
import { modelNameKeys } from '../api/model-names.ts';
import {
  catalogModels,
  controllerRevisions,
  deployments,
  hardwareProfiles,
  inferenceBatches,
  inferenceDeployments,
  jobs,
  networkPolicies,
  persistentVolumeClaims,
  podDisruptionBudgets,
  pods,
  services,
} from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import type { KubeObject, Logger, Resource } from '../kube/types.ts';
import { deploymentsOf } from './batch-need.ts';

export interface Caches {
  inferenceDeployments: Informer<InferenceDeployment>;
  hardwareProfiles: Informer<HardwareProfile>;
  catalogModels: Informer<CatalogModel>;
  /** What the scaler reads of batches. */
  inferenceBatches: Informer<InferenceBatch>;
  deployments: Informer<Deployment>;
  services: Informer<Service>;
  podDisruptionBudgets: Informer<PodDisruptionBudget>;
  networkPolicies: Informer<NetworkPolicy>;
  /** The pod templates of deployments. */
  controllerRevisions: Informer<ControllerRevision>;
  persistentVolumeClaims: Informer<PersistentVolumeClaim>;
  jobs: Informer<Job>;
  /** Replicas, and the pods of our Jobs. */
  pods: Informer<Pod>;
  /** Those of the gateways, in Infer's own namespace. */
  gatewayPods: Informer<Pod>;
}

export interface CacheOptions {
  client: KubeClient;
  /** The only namespace whose deployments are looked after; all when absent. */
  watchNamespace: string | undefined;
  /** Infer's own namespace: profiles and catalogue. */
  namespace: string;
  relistIntervalMs: number;
  logger: Logger;
  metrics: KubeMetrics;
}

/** Returns the informers, not started. */
export function createCaches(options: CacheOptions): Caches {
  const { client, logger, metrics, namespace, relistIntervalMs, watchNamespace } = options;
  const common = { client, logger, metrics, relistIntervalMs };
  const watched = { ...common, ...(watchNamespace !== undefined && { namespace: watchNamespace }) };
  // Children keep managedFields: they tell whether a field that we applied was changed, and who owns `replicas`.
  const child = <T extends KubeObject>(
    resource: Resource<T>,
    indexes: Record<string, (object: T) => string[]> = {},
  ): Informer<T> =>
    new Informer<T>({
      ...watched,
      resource,
      labelSelector: `${MANAGED_BY_LABEL}=${MANAGED_BY}`,
      decode: (object) => object,
      indexes,
    });
  return {
    inferenceDeployments: new Informer({
      ...watched,
      resource: inferenceDeployments,
      decode: withoutManagedFields,
      indexes: {
        profile: (resource) => [effectiveSpec(resource.spec).hardwareProfile],
        modelId: (resource) => (resource.spec.model.id === undefined ? [] : [resource.spec.model.id]),
        uid: ({ metadata: { uid } }) => (uid === undefined ? [] : [uid]),
        modelName: modelNameKeys,
      },
    }),
    hardwareProfiles: new Informer({ ...common, namespace, resource: hardwareProfiles, decode: withoutManagedFields }),
    catalogModels: new Informer({
      ...common,
      namespace,
      resource: catalogModels,
      decode: withoutManagedFields,
      indexes: { modelId: (model) => [model.spec.modelId] },
    }),
    inferenceBatches: new Informer({
      ...watched,
      resource: inferenceBatches,
      decode: decodeBatch,
      indexes: { deployment: deploymentsOf },
    }),
    deployments: child(deployments),
    services: child(services),
    podDisruptionBudgets: child(podDisruptionBudgets),
    networkPolicies: child(networkPolicies),
    persistentVolumeClaims: child(persistentVolumeClaims),
    jobs: child(jobs, { owner: (job) => controllerUids(job, inferenceDeployments.kind) }),
    controllerRevisions: child(controllerRevisions, { deployment: (revision) => [deploymentIndexKey(revision)] }),
    pods: new Informer({
      ...watched,
      resource: pods,
      labelSelector: `${COMPONENT_LABEL} in (${REPLICA_COMPONENT},${PREFLIGHT_COMPONENT},${FETCH_COMPONENT})`,
      decode: decodePod,
      indexes: { deployment: (pod) => [replicaIndexKey(pod)], job: (pod) => controllerUids(pod, jobs.kind) },
    }),
    gatewayPods: new Informer({
      ...common,
      namespace,
      resource: pods,
      labelSelector: Object.entries(GATEWAY_POD_LABELS)
        .map(([label, value]) => `${label}=${value}`)
        .join(','),
      decode: ({ metadata, status }) => ({
        metadata: pick(metadata, POD_METADATA),
        status: pick(status ?? {}, ['phase', 'podIP', 'conditions']),
      }),
    }),
  };
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _dropped, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Returns the UID of the object of this kind that controls `object`, if one does. */
function controllerUids({ metadata }: KubeObject, kind: string): string[] {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner?.kind === kind ? [owner.uid] : [];
}

/**
 * Returns the key under which the cache finds the replicas of a deployment. A label alone says nothing: only what a
 * ReplicaSet made, in the deployment's own namespace, counts as a replica.
 */
export function replicaIndexKey(pod: Pod): string {
  const made = pod.metadata.ownerReferences?.some(
    ({ kind, controller }) => kind === 'ReplicaSet' && controller === true,
  );
  return made ? deploymentIndexKey(pod) : '';
}

/** Of an object that carries the UID of its deployment. */
function deploymentIndexKey({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.labels?.[DEPLOYMENT_UID_LABEL] ?? ''}`;
}

function pick<T extends object, K extends keyof T>(object: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.filter((key) => key in object).map((key) => [key, object[key]])) as Pick<T, K>;
}

/** There may be thousands, with what their clients keep in them. */
function decodeBatch({ metadata, spec, status }: InferenceBatch): InferenceBatch {
  return {
    metadata: pick(metadata, ['name', 'namespace', 'uid', 'resourceVersion', 'deletionTimestamp']),
    spec: pick(spec, ['inputFileId', 'endpoint', 'apiKey']),
    status: pick(status ?? {}, ['deployment', 'neededReplicas', 'expiresAt', 'conditions']),
  };
}

const POD_METADATA = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'ownerReferences',
] as const;
const POD_STATUS = ['phase', 'reason', 'message', 'conditions', 'initContainerStatuses', 'containerStatuses'] as const;

/** A pod is by far the largest and most numerous object; only what diagnosis reads is kept. */
function decodePod(pod: Pod): Pod {
  return {
    metadata: {
      ...pick(pod.metadata, POD_METADATA),
      labels: pick(pod.metadata.labels ?? {}, [DEPLOYMENT_LABEL, DEPLOYMENT_UID_LABEL, REVISION_LABEL]),
      annotations: pick(pod.metadata.annotations ?? {}, [DRAINING_SINCE_ANNOTATION]),
    },
    spec: {
      ...pick(pod.spec ?? {}, ['nodeName', 'nodeSelector']),
      containers: (pod.spec?.containers ?? []).map(({ name, resources }) => ({
        name,
        resources: pick(resources ?? {}, ['limits']),
      })),
    },
    status: pick(pod.status ?? {}, POD_STATUS),
  };
}
