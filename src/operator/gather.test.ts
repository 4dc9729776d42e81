import { expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Caches } from './caches.ts';
import { gather } from './gather.ts';

const resource = inferenceDeployment();
const { name, namespace = '' } = resource.metadata;

/** Returns the kinds that are asked for beside the children that the cache has. */
async function seen(children: object[]): Promise<string[]> {
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
    controllerRevisions: empty,
    persistentVolumeClaims: empty,
    jobs: empty,
    pods: empty,
  } as unknown as Caches;
  const client = {
    get: ({ kind }: { kind: string }) => {
      asked.push(kind);
      return Promise.resolve();
    },
  } as unknown as KubeClient;
  await gather({ namespace, name }, caches, client, 'infer-system');
  return asked;
}

const child = { metadata: { name: 'infer-chat', namespace } };

test('a child that no cache holds is read live, since it may be someone else’s, and no other', async () => {
  const kinds = ['Deployment', 'Service', 'PodDisruptionBudget', 'NetworkPolicy'];
  expect(await seen([])).toEqual(kinds);
  expect(await seen([child, child])).toEqual(kinds.slice(2));
  expect(await seen([child, child, child, child])).toEqual([]);
});
