import { beforeEach, expect, test } from '@jest/globals';
import { MemoryInformer } from '../../test/support/memory-informer.ts';
import { hardwareProfile } from '../../test/support/resources.ts';
import type { CatalogModel } from '../api/generated/catalog-model.ts';
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../api/generated/inference-deployment.ts';
import { DEPLOYMENT_LABEL } from '../api/labels.ts';
import { modelNameKeys } from '../api/model-names.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Caches } from './caches.ts';
import { enqueueOnChange } from './triggers.ts';

let resources: MemoryInformer<InferenceDeployment>;
let profiles: MemoryInformer<HardwareProfile>;
let models: MemoryInformer<CatalogModel>;
let children: MemoryInformer<KubeObject>;
/** Which deployments were asked for since it was last emptied, in no order. */
let asked: Set<string>;
let later: string[];

beforeEach(() => {
  resources = new MemoryInformer<InferenceDeployment>({
    profile: ({ spec }) => [spec.hardwareProfile ?? ''],
    modelId: ({ spec }) => [spec.model.id ?? ''],
    modelName: modelNameKeys,
  });
  [profiles, models, children] = [new MemoryInformer(), new MemoryInformer(), new MemoryInformer()];
  [asked, later] = [new Set(), []];
  const caches = {
    inferenceDeployments: resources,
    hardwareProfiles: profiles,
    catalogModels: models,
    deployments: children,
    services: children,
    podDisruptionBudgets: children,
    networkPolicies: children,
    persistentVolumeClaims: children,
    jobs: children,
    controllerRevisions: children,
    pods: children,
  };
  enqueueOnChange(
    caches as unknown as Caches,
    ({ name }) => asked.add(name),
    ({ name }) => later.push(name),
  );
});

function put(name: string, spec: Partial<InferenceDeploymentSpec> = {}, generation = 1): InferenceDeployment {
  const resource: InferenceDeployment = {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceDeployment',
    metadata: { namespace: 'team', name, uid: `uid-${name}`, generation },
    spec: { model: { id: 'org/model' }, ...spec },
  };
  resources.put(resource);
  return resource;
}

/** What the change asks for. */
function asks(change: () => void): string[] {
  asked.clear();
  change();
  return [...asked].toSorted();
}

test('names that a deployment takes or leaves ask for those that claim them as well', () => {
  const owner = put('owner', { aliases: ['llama', 'shared'] });
  put('other', { aliases: ['llama'] });
  put('third', { aliases: ['mistral'] });
  put('elsewhere', { aliases: ['own'] });
  expect(asks(() => put('owner', { aliases: ['mistral'] }, 2))).toEqual(['other', 'owner', 'third']);
  expect(asks(() => put('llama'))).toEqual(['llama', 'other']);
  put('owner', owner.spec, 3);
  expect(asks(() => resources.remove(owner))).toEqual(['llama', 'other', 'owner']);
});

test('a write of status alone asks for a look some time after', () => {
  const resource = put('chat', { aliases: ['llama'] });
  put('other', { aliases: ['llama'] });
  expect(asks(() => resources.put({ ...resource, status: { observedGeneration: 1 } }))).toEqual([]);
  expect(later).toEqual(['chat']);
});

test('a profile and an entry of the catalogue ask for those that use them', () => {
  const profile = hardwareProfile();
  put('chat', { hardwareProfile: profile.metadata.name });
  put('other', { hardwareProfile: 'gpu.other', model: { id: 'org/other' } });
  expect(asks(() => profiles.put(profile))).toEqual(['chat']);
  const entry: CatalogModel = {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'CatalogModel',
    metadata: { name: 'entry' },
    spec: { modelId: 'org/other' },
  };
  expect(asks(() => models.put(entry))).toEqual(['other']);
  expect(asks(() => models.put({ ...entry, spec: { modelId: 'org/model' } }))).toEqual(['chat', 'other']);
});

test('a child asks for its deployment, by label and by owner, and for the one that it had before', () => {
  const labels = { [DEPLOYMENT_LABEL]: 'chat' };
  const child: KubeObject = { metadata: { namespace: 'team', name: 'infer-chat', uid: 'c', labels } };
  expect(asks(() => children.put(child))).toEqual(['chat']);
  const ownerReferences = [
    { apiVersion: 'infer.dev/v1alpha1', kind: 'InferenceDeployment', name: 'owner', uid: 'o', controller: true },
  ];
  const stolen = { ...child, metadata: { ...child.metadata, labels: {}, ownerReferences } };
  expect(asks(() => children.put(stolen))).toEqual(['chat', 'owner']);
  expect(asks(() => children.remove(stolen))).toEqual(['owner']);
});
