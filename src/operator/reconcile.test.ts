import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL, standingOf } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../api/resources.ts';
import { ApiError } from '../kube/errors.ts';
import { ApplyFailures } from './apply-failures.ts';
import { reconcile, type ReconcileContext } from './reconcile.ts';
import { TrafficDisplay } from './traffic-display.ts';
import { PriceDisplay } from './usage/price-display.ts';

const resource = inferenceDeployment({ hardwareProfile: 'gpu.a100' });
const { name, namespace = '' } = resource.metadata;
const REFUSED = new ApiError('the quota is reached', { status: 403 });
const FOREIGN = { metadata: { name: 'infer-chat', namespace } };
const usage = { replicaSeconds: 5, gpuSeconds: 5, asOf: '2026-01-01T00:00:00Z', replicasSince: 1 };
const status = { usage: { ...usage, running: [{ uid: 'pod-1', gpus: 1 }] } };
const NOW = new Date('2026-01-01T00:00:00Z');

interface Cluster {
  /** As the cache has it. */
  cached: InferenceDeployment;
  /** As the API server has it. */
  live?: InferenceDeployment | undefined;
  /** Somebody else's object in the place of each child. */
  isTaken?: boolean;
}

/** One pass, with the statuses that it writes and how often it asks for the resource; lists of pods and writes of children fail. */
async function pass({ cached, live, isTaken = false }: Cluster) {
  const empty = { get: () => undefined, byIndex: () => [], isBehind: () => false, noteWrite: () => undefined };
  const kinds = ['deployments', 'services', 'podDisruptionBudgets', 'networkPolicies', 'persistentVolumeClaims'];
  const others = [...kinds, 'controllerRevisions', 'catalogModels', 'jobs', 'pods'];
  const caches = {
    ...Object.fromEntries(others.map((kind) => [kind, empty])),
    inferenceDeployments: { ...empty, get: () => cached },
    hardwareProfiles: { ...empty, get: () => hardwareProfile() },
  };
  const written: object[] = [];
  let reads = 0;
  const client = {
    get: ({ kind }: { kind: string }) => {
      if (kind !== inferenceDeployments.kind) return Promise.resolve(isTaken ? FOREIGN : undefined);
      reads += 1;
      return Promise.resolve(live);
    },
    list: () => Promise.reject(new Error('etcd is away')),
    apply: (_: unknown, intent: object) => {
      written.push(intent);
      return Promise.resolve(intent);
    },
  };
  const context = {
    caches,
    client,
    applier: { apply: () => Promise.reject(REFUSED) },
    settings: INSTALL,
    now: () => NOW,
    departed: { lives: () => [] },
    unwatchedSince: 0,
    turns: { forget: () => undefined, isFree: () => true, note: () => undefined },
    failures: new ApplyFailures(),
    events: { record: () => undefined },
    scaling: {
      scaler: { standing: () => standingOf(cached), learned: () => undefined },
      contention: { leftTo: () => undefined },
      tokensPerSecond: () => undefined,
    },
    display: new TrafficDisplay(),
    gateways: { trafficOf: () => undefined, silentMs: () => 0 },
    prices: new PriceDisplay(),
    engineLogs: { causesOf: () => Promise.resolve({ causes: new Map(), unread: false }) },
  } as unknown as ReconcileContext;
  const [result] = await Promise.allSettled([reconcile({ name, namespace }, context)]);
  return { result, written, reads };
}

describe('a resource whose end its cache does not know', () => {
  test.each<[string, InferenceDeployment | undefined]>([
    ['is gone', undefined],
    ['is another of the name', { ...resource, metadata: { ...resource.metadata, uid: 'other' } }],
    ['goes', { ...resource, metadata: { ...resource.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }],
  ])('gets no child where it %s, and is looked at again in seconds', async (_, live) => {
    const { result, written } = await pass({ cached: resource, live });
    expect(result).toEqual({ status: 'fulfilled', value: { requeueAfterMs: 2_000, untried: true } });
    expect(written).toEqual([]);
  });
});

test('a deletion is told although the pods cannot be listed, and looked at again', async () => {
  const metadata = { ...resource.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
  const { result, written } = await pass({ cached: { ...resource, metadata, status } });
  expect(written).toMatchObject([
    { status: { usage: status.usage, conditions: [{ type: 'Ready', reason: 'Deleting' }, {}, {}] } },
  ]);
  expect(result).toEqual({ status: 'rejected', reason: new Error('etcd is away') });
});

test('why a child cannot be written is told although the pods cannot be listed', async () => {
  const { result, written, reads } = await pass({ cached: { ...resource, status }, live: resource });
  expect(written).toMatchObject([{ status }]);
  expect(JSON.stringify(written)).toContain('the quota is reached');
  expect(result).toEqual({ status: 'rejected', reason: REFUSED });
  expect(reads).toBe(1);
});

test('a name that is taken is told although the pods cannot be listed, and nothing is asked for what is not made', async () => {
  const { result, written, reads } = await pass({ cached: { ...resource, status }, isTaken: true });
  expect(written).toMatchObject([{ status }]);
  expect(JSON.stringify(written)).toContain('NameConflict');
  expect(result).toEqual({ status: 'rejected', reason: new Error('etcd is away') });
  expect(reads).toBe(0);
});
