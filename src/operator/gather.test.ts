import { expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import { inferenceDeployments } from '../api/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Caches } from './caches.ts';
import { BEHIND, gather } from './gather.ts';

const resource = inferenceDeployment();
const { name, namespace = '' } = resource.metadata;

/** With the children that the cache has, and the resource as the API server has it. */
async function seen(children: object[], live: InferenceDeployment | undefined) {
  const asked: string[] = [];
  const empty = { get: () => undefined, byIndex: () => [], isBehind: () => false };
  const holding = (index: number) => ({ ...empty, get: () => children[index] });
  const caches = {
    inferenceDeployments: { ...empty, get: () => resource },
    hardwareProfiles: empty,
    catalogModels: empty,
    deployments: holding(0),
    services: holding(1),
    podDisruptionBudgets: holding(2),
    networkPolicies: holding(3),
    controllerRevisions: { ...empty, byIndex: () => children.slice(4) },
    persistentVolumeClaims: empty,
    jobs: empty,
    pods: empty,
  } as unknown as Caches;
  const client = {
    get: ({ kind }: { kind: string }) => {
      asked.push(kind);
      return Promise.resolve(kind === inferenceDeployments.kind ? live : undefined);
    },
  } as unknown as KubeClient;
  return { observation: await gather({ namespace, name }, caches, client, 'infer-system'), asked };
}

const child = { metadata: { name: 'infer-chat', namespace } };
const ALL = [child, child, child, child, child];

test.each<[string, InferenceDeployment | undefined]>([
  ['is gone', undefined],
  ['is another of the name', { ...resource, metadata: { ...resource.metadata, uid: 'other' } }],
  ['goes', { ...resource, metadata: { ...resource.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }],
])('nothing is made for a resource that %s and whose cache does not know that', async (_, live) => {
  expect((await seen([], live)).observation).toBe(BEHIND);
  expect((await seen(ALL.slice(0, 4), live)).observation).toBe(BEHIND);
});

test('it is asked for after the children that are missing, and not where none is', async () => {
  const first = await seen([], resource);
  expect(first.observation).toMatchObject({ resource });
  expect(first.asked.at(-1)).toBe('InferenceDeployment');
  expect((await seen(ALL, undefined)).asked).toEqual([]);
});
