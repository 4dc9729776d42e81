/** One read of the caches into a plain value; everything after it is pure until the plan is applied. */
import {
  deployments,
  networkPolicies,
  persistentVolumeClaims,
  podDisruptionBudgets,
  services,
} from '../api/resources.ts';
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
import { effectiveSpec } from '../api/defaults.ts';
import type { CatalogModel } from '../api/generated/catalog-model.ts';
import { REVISION_ANNOTATION } from '../api/labels.ts';
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { lostAlias } from '../api/model-names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, ObjectReference, Resource } from '../kube/types.ts';
import type { Caches } from './caches.ts';
import { cacheName, childName } from './resources/names.ts';
import type { EngineSettings } from './resources/engine.ts';

export interface Children {
  deployment: Deployment | undefined;
  service: Service | undefined;
  disruptionBudget: PodDisruptionBudget | undefined;
  networkPolicy: NetworkPolicy | undefined;
  /** Of the model cache; looked for only where the profile has one. */
  cacheClaim: PersistentVolumeClaim | undefined;
}

export interface Observation {
  resource: InferenceDeployment;
  /** The first of its aliases that belongs to another deployment. */
  lostAlias: { alias: string; owner: InferenceDeployment } | undefined;
  profile: HardwareProfile | undefined;
  catalogueEngine: EngineSettings | undefined;
  /** The platform team vouches for the model by an entry of the catalogue. */
  isCatalogued: boolean;
  children: Children;
  /** The pod templates it has had, in no order. */
  revisions: ControllerRevision[];
  /** The replicas. */
  pods: Pod[];
  /** The Jobs of this very resource, and their pods, the oldest first. */
  jobs: Job[];
  jobPods: Pod[];
}

/** The caches have not passed our own last write yet: look again shortly. */
export const BEHIND = Symbol('behind');

/**
 * Returns what is known of the deployment `ref`; undefined when it is gone or going (Kubernetes deletes its
 * children), and BEHIND while a cache lags behind our own writes.
 * A child that no cache holds is read live, since caches hold only labelled objects: it may be someone else's.
 * Throws ApiError when such a read fails.
 */
export async function gather(
  ref: ObjectReference,
  caches: Caches,
  client: KubeClient,
  inferNamespace: string,
): Promise<Observation | typeof BEHIND | undefined> {
  const resource = caches.inferenceDeployments.get(ref);
  if (resource === undefined || resource.metadata.deletionTimestamp !== undefined) return undefined;
  const child: ObjectReference = { ...ref, name: childName(ref.name) };
  const cache: ObjectReference = { ...ref, name: cacheName(ref.name) };
  const lagging = [
    caches.inferenceDeployments.isBehind(ref),
    caches.deployments.isBehind(child),
    caches.services.isBehind(child),
    caches.podDisruptionBudgets.isBehind(child),
    caches.networkPolicies.isBehind(child),
    caches.persistentVolumeClaims.isBehind(cache),
  ];
  const indexKey = `${ref.namespace}/${resource.metadata.uid ?? ''}`;
  const replicas = caches.pods.byIndex('deployment', indexKey);
  const revisions = caches.controllerRevisions.byIndex('deployment', indexKey);
  const jobs = caches.jobs.byIndex('owner', resource.metadata.uid ?? '');
  // One that was just made is in no index yet; the Deployment, which was written after it, names it.
  const applied = caches.deployments.get(child)?.metadata.annotations?.[REVISION_ANNOTATION];
  const newest = applied === undefined ? [] : [{ ...ref, name: applied }];
  lagging.push(
    ...replicas.map((pod) => caches.pods.isBehind(pod.metadata)),
    ...jobs.map((job) => caches.jobs.isBehind(job.metadata)),
    ...[...newest, ...revisions.map(({ metadata }) => metadata)].map((one) => caches.controllerRevisions.isBehind(one)),
  );
  if (lagging.includes(true)) return BEHIND;

  const find = async <T extends KubeObject>(
    cached: T | undefined,
    kind: Resource<T>,
    object = child,
  ): Promise<T | undefined> => cached ?? (await client.get(kind, object));
  const spec = effectiveSpec(resource.spec);
  const profile = caches.hardwareProfiles.get({ namespace: inferNamespace, name: spec.hardwareProfile });
  const cachedClaim = caches.persistentVolumeClaims.get(cache);
  const [deployment, service, disruptionBudget, networkPolicy, cacheClaim] = await Promise.all([
    find(caches.deployments.get(child), deployments),
    find(caches.services.get(child), services),
    find(caches.podDisruptionBudgets.get(child), podDisruptionBudgets),
    find(caches.networkPolicies.get(child), networkPolicies),
    profile?.spec.modelCache?.claim ? find(cachedClaim, persistentVolumeClaims, cache) : cachedClaim,
  ]);
  const entry = catalogueEntry(caches, spec.model.id);
  return {
    resource,
    lostAlias: lostAlias(resource, (key) => caches.inferenceDeployments.byIndex('modelName', key)),
    profile,
    catalogueEngine: entry?.spec.engine,
    isCatalogued: entry !== undefined,
    children: { deployment, service, disruptionBudget, networkPolicy, cacheClaim },
    revisions,
    // In an order of their own: of equal problems the first is shown, and must not change with every event.
    pods: replicas.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
    jobs,
    jobPods: jobs.flatMap((job) => caches.pods.byIndex('job', job.metadata.uid ?? '')).toSorted(byAge),
  };
}

/** Where two entries of the catalogue name one model, the first by name counts: the choice must not depend on order. */
function catalogueEntry(caches: Caches, modelId: string | undefined): CatalogModel | undefined {
  if (modelId === undefined) return undefined;
  const entries = caches.catalogModels.byIndex('modelId', modelId);
  return entries.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

function byAge(a: Pod, b: Pod): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1;
}
