/** Typed handles of the kinds that Infer reads and writes. */
import type { Resource } from '../kube/types.ts';
import type {
  ControllerRevision,
  Deployment,
  EndpointSlice,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Service,
} from './kubernetes.ts';
import type { APIKey } from './generated/api-key.ts';
import type { CatalogModel } from './generated/catalog-model.ts';
import type { HardwareProfile } from './generated/hardware-profile.ts';
import type { InferenceBatch } from './generated/inference-batch.ts';
import type { InferenceDeployment } from './generated/inference-deployment.ts';

export const GROUP = 'infer.dev';
export const VERSION = 'v1alpha1';

function own(
  kind: string,
  plural: string,
): { group: string; version: string; kind: string; plural: string; namespaced: boolean } {
  return { group: GROUP, version: VERSION, kind, plural, namespaced: true };
}

export const inferenceDeployments: Resource<InferenceDeployment> = own('InferenceDeployment', 'inferencedeployments');
export const hardwareProfiles: Resource<HardwareProfile> = own('HardwareProfile', 'hardwareprofiles');
export const catalogModels: Resource<CatalogModel> = own('CatalogModel', 'catalogmodels');
export const inferenceBatches: Resource<InferenceBatch> = own('InferenceBatch', 'inferencebatches');
export const apiKeys: Resource<APIKey> = own('APIKey', 'apikeys');

export const deployments: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
export const jobs: Resource<Job> = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true };
export const controllerRevisions: Resource<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
};
export const services: Resource<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
};
export const podDisruptionBudgets: Resource<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  namespaced: true,
};
export const networkPolicies: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
};
export const persistentVolumeClaims: Resource<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  namespaced: true,
};
export const pods: Resource<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
export const endpointSlices: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};
