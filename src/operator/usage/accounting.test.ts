import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, observation, readyPod } from '../../../test/support/resources.ts';
import type { Pod } from '../../api/kubernetes.ts';
import type { KubeClient } from '../../kube/client.ts';
import { timeAndPrice, unwatchedFrom, usageOf, type AccountingContext } from './accounting.ts';
import { PriceDisplay } from './price-display.ts';
import { lifetimes, type DepartedPod } from './lifetimes.ts';

function context(
  tokensPerSecond: number | undefined,
  departed: DepartedPod[] = [],
  live: Pod[] = [],
): AccountingContext {
  return {
    client: { list: () => Promise.resolve({ items: live, resourceVersion: '1' }) } as unknown as KubeClient,
    departed: { lives: (_, pods) => lifetimes(pods, departed) },
    prices: new PriceDisplay(),
    scaling: { tokensPerSecond: () => tokensPerSecond },
    unwatchedSince: Date.parse('2026-01-01T00:05:00Z') / 1_000,
  };
}

const profile = hardwareProfile({ price: { currency: 'USD', perGpuHour: '3.60' } });

test('a million tokens cost what the replicas cost while these are made', async () => {
  // 3.60 an hour are 0.001 a second; 500 tokens a second make a million in 2,000 seconds.
  const { told, lookAgainMs } = await timeAndPrice(observation({ profile, pods: [readyPod()] }), context(500));
  expect(told.perMillionTokens).toBe('2');
  // Traffic that ends tells nobody.
  expect(lookAgainMs).toEqual([60_000]);
});

test('without a price, or without traffic, there is none', async () => {
  const resource = inferenceDeployment();
  resource.status = { cost: { perMillionTokens: '2' } };
  const unpriced = await timeAndPrice(observation({ resource, pods: [readyPod()] }), context(500));
  expect(unpriced).toMatchObject({ told: { perMillionTokens: undefined }, lookAgainMs: [] });
  const idle = await timeAndPrice(observation({ profile, pods: [readyPod()] }), context(undefined));
  expect(idle).toMatchObject({ told: { perMillionTokens: undefined }, lookAgainMs: [] });
});

test('those that are there and those that went are counted together', async () => {
  const gone = readyPod();
  gone.metadata = { ...gone.metadata, uid: 'gone' };
  const departed = [{ pod: gone, atMs: Date.parse('2026-01-01T00:10:00Z') }];
  const { told } = await timeAndPrice(observation({ pods: [readyPod()] }), context(undefined, departed));
  expect(told.usage).toEqual({
    replicaSeconds: 1_200,
    gpuSeconds: 0,
    asOf: '2026-01-01T00:10:00Z',
    replicasSince: 1,
    running: [{ uid: 'pod-1', gpus: 0 }],
  });
});

describe('a replica that the status counts and the cache does not know', () => {
  const running = [{ uid: 'pod-1', gpus: 0 }];
  const before = { replicaSeconds: 0, gpuSeconds: 0, asOf: '2026-01-01T00:00:00Z', replicasSince: 1, running };
  const resource = { ...inferenceDeployment(), status: { usage: before } };
  const live = readyPod();
  live.metadata = {
    ...live.metadata,
    namespace: resource.metadata.namespace ?? '',
    labels: { 'infer.dev/deployment-uid': resource.metadata.uid ?? '' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
  };

  test('goes on where the API server has it', async () => {
    expect((await usageOf(resource, [], context(undefined, [], [live]))).usage).toBe(before);
  });

  test.each<[string, Pod[]]>([
    ['is gone', []],
    ['is a replica of nobody', [{ ...live, metadata: { ...live.metadata, ownerReferences: [] } }]],
  ])('has ended where it %s, when nobody watched any more', async (_, there) => {
    const { usage } = await usageOf(resource, [], context(undefined, [], there));
    expect(usage).toMatchObject({ replicaSeconds: 300, asOf: '2026-01-01T00:05:00Z', running: [] });
  });

  test('keeps its time where it cannot be looked for, and the failure does not hide what else is told', async () => {
    const failure = new Error('etcd is away');
    const failing = { ...context(500), client: { list: () => Promise.reject(failure) } };
    const { told, failure: thrown } = await timeAndPrice(observation({ resource, profile, pods: [] }), failing);
    expect(told.usage).toBe(before);
    expect(thrown).toBe(failure);
  });
});

test('nobody watched after the leader before, or before this process where none is known', () => {
  expect(unwatchedFrom(5_500, 9_000)).toBe(5);
  expect(unwatchedFrom(12_000, 9_000)).toBe(9);
  expect(unwatchedFrom(undefined, 9_000)).toBe(9);
});
