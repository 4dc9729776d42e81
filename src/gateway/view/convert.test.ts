import { describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../../test/support/resources.ts';
import type {
  InferenceDeployment,
  InferenceDeploymentSpec,
  InferenceDeploymentStatus,
} from '../../api/generated/inference-deployment.ts';
import type { LiveDeployment } from '../../channel/messages.ts';
import { decodeDeployment } from '../decode.ts';
import { detailOf, summaryOf, type Viewer } from './convert.ts';

const ADMIN: Viewer = { namespace: 'team-a', isAdmin: true };
const VIEWER: Viewer = { namespace: 'team-a', isAdmin: false };

/** As a gateway keeps it. */
function deployment(
  status?: InferenceDeploymentStatus,
  spec: Partial<InferenceDeploymentSpec> = {},
): InferenceDeployment {
  const resource = inferenceDeployment(spec);
  const metadata = { ...resource.metadata, creationTimestamp: '2026-11-22T10:00:00Z', managedFields: [] };
  return decodeDeployment({ ...resource, metadata, ...(status && { status }) });
}

const STATUS: InferenceDeploymentStatus = {
  conditions: [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Serving',
      message: 'All serve.',
      lastTransitionTime: '2026-11-22T10:05:00Z',
      observedGeneration: 3,
    },
    {
      type: 'ScalingLimited',
      status: 'True',
      reason: 'AtMax',
      message: 'Raise it.',
      lastTransitionTime: '2026-11-22T10:06:00Z',
    },
  ],
  observedGeneration: 3,
  endpoint: { baseUrl: 'https://infer.example.com/v1', model: 'chat' },
  model: { commit: 'abc', specHash: 'def' },
  replicas: {
    desired: 3,
    ready: 1,
    starting: 1,
    draining: 0,
    failed: 1,
    pods: [
      { name: 'chat-1', uid: 'pod-1', readiness: 'Ready', node: 'gpu-1', since: '2026-11-22T10:01:00Z' },
      { name: 'chat-2', uid: 'pod-2', readiness: 'Starting', reason: 'Loading' },
      { name: 'chat-3', readiness: 'Hibernating' },
    ],
  },
  scaling: {
    desiredReplicas: 3,
    reason: 'AtMax',
    message: '3 replicas: it is busy.',
    requestsPerSecond: '9.4',
    lastScaleTime: '2026-11-22T10:02:00Z',
    learned: { key: 'k', requestsPerSecond: '3.7', loadSeconds: 95, samples: 12 },
    recent: [{ time: '2026-11-22T10:02:00Z', from: 2, to: 3, reason: 'Latency', message: '2 → 3.' }],
  },
  cost: { currency: 'USD', perHour: '7.36', perMillionTokens: '0.42' },
};

const LIVE: LiveDeployment = {
  uid: 'uid-chat',
  sample: {
    timeMs: 1_800_000_000_500,
    requestsPerSecond: 2.5,
    latencyP50Ms: 800,
    latencyP95Ms: 1_200,
    firstByteP95Ms: 90,
    inFlight: 4,
    queued: 1,
    kvCacheUsage: 0.5,
    replicasReady: 1,
    replicasDesired: 3,
  },
  replicas: [{ podUid: 'pod-1', inFlight: 4, waiting: 2, kvCacheUsage: 0.5 }],
};

test('a deployment in full, of what a gateway keeps', () => {
  const spec = {
    hardwareProfile: 'gpu.h100',
    minReplicas: 1,
    maxReplicas: 3,
    scaling: { targetRps: 4, targetLatencyP95Ms: 8_000 },
    aliases: ['llama'],
    adapters: [{ name: 'sql', id: 'org/sql' }],
    engine: { maxModelLen: 4096 },
  };
  expect(detailOf(deployment(STATUS, spec), ADMIN, LIVE)).toEqual({
    object: 'deployment',
    id: 'chat',
    namespace: 'team-a',
    name: 'chat',
    model: 'org/model',
    hardware_profile: 'gpu.h100',
    created: 1_795_341_600,
    ready: 'True',
    reason: 'Serving',
    message: 'All serve.',
    replicas: { desired: 3, ready: 1, starting: 1, draining: 0, failed: 1, min: 1, max: 3 },
    scaling: {
      reason: 'AtMax',
      message: '3 replicas: it is busy.',
      limited_by: 'AtMax',
      target_rps: 4,
      target_latency_p95_ms: 8_000,
    },
    live: {
      time: 1_800_000_000.5,
      requests_per_second: 2.5,
      latency_p50_ms: 800,
      latency_p95_ms: 1_200,
      ttft_p95_ms: 90,
      in_flight: 4,
      queued: 1,
      kv_cache_usage: 0.5,
      replicas_ready: 1,
      replicas_desired: 3,
    },
    cost: { currency: 'USD', per_hour: '7.36', per_day: '176.64', per_million_tokens: '0.42' },
    aliases: ['llama'],
    adapters: ['sql'],
    endpoint: 'https://infer.example.com/v1',
    suspended: false,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Serving', message: 'All serve.', since: 1_795_341_900 },
      { type: 'ScalingLimited', status: 'True', reason: 'AtMax', message: 'Raise it.', since: 1_795_341_960 },
    ],
    replica_list: [
      {
        name: 'chat-1',
        state: 'Ready',
        reason: null,
        since: 1_795_341_660,
        node: 'gpu-1',
        in_flight: 4,
        waiting: 2,
        kv_cache_usage: 0.5,
      },
      {
        name: 'chat-2',
        state: 'Starting',
        reason: 'Loading',
        since: null,
        node: null,
        in_flight: 0,
        waiting: null,
        kv_cache_usage: null,
      },
      // A state of a newer operator.
      {
        name: 'chat-3',
        state: 'Starting',
        reason: null,
        since: null,
        node: null,
        in_flight: 0,
        waiting: null,
        kv_cache_usage: null,
      },
    ],
    recent: [{ time: 1_795_341_720, from: 2, to: 3, reason: 'Latency', message: '2 → 3.' }],
    learned: { requests_per_second: 3.7, load_seconds: 95 },
  });
});

test('one that the operator has not seen yet has every field, too', () => {
  const resource = deployment();
  delete resource.metadata.creationTimestamp;
  expect(detailOf(resource, ADMIN, undefined)).toEqual({
    object: 'deployment',
    id: 'chat',
    namespace: 'team-a',
    name: 'chat',
    model: 'org/model',
    hardware_profile: 'gpu.a100',
    created: 0,
    ready: 'Unknown',
    reason: 'Pending',
    message: expect.stringContaining('infer-operator'),
    replicas: { desired: 0, ready: 0, starting: 0, draining: 0, failed: 0, min: 1, max: 1 },
    scaling: { reason: '', message: '', limited_by: null, target_rps: 10, target_latency_p95_ms: 5_000 },
    live: null,
    cost: null,
    aliases: [],
    adapters: [],
    endpoint: null,
    suspended: false,
    conditions: [],
    replica_list: [],
    recent: [],
    learned: null,
  });
});

test('prices and nodes are for admins', () => {
  const detail = detailOf(deployment(STATUS), VIEWER, LIVE);
  expect(detail.cost).toBeNull();
  expect(detail.replica_list.map(({ node }) => node)).toEqual([null, null, null]);
  expect(JSON.stringify(detail)).not.toMatch(/gpu-1|7\.36|0\.42/);
});

test('a key of another namespace has the namespace in the id', () => {
  expect(summaryOf(deployment(), { ...VIEWER, namespace: 'team-b' }, undefined).id).toBe('team-a/chat');
});

test.each([
  [{ id: 'org/model' }, 'org/model'],
  [{ claim: { name: 'weights' } }, 'claim:weights'],
  [{ claim: { name: 'weights', path: 'llama-8b' } }, 'claim:weights/llama-8b'],
])('the model %j is %s', (model, shown) => {
  expect(summaryOf(deployment(undefined, { model }), VIEWER, undefined).model).toBe(shown);
});

describe('cost per day', () => {
  test.each([
    ['7.36', '176.64'],
    ['0.01', '0.24'],
    ['0.004', '0.096'],
    ['12', '288'],
    // More than a float holds exactly.
    ['9007199254740993.07', '216172782113783833.68'],
  ])('of %s per hour is %s', (perHour, perDay) => {
    const cost = summaryOf(deployment({ cost: { currency: 'EUR', perHour } }), ADMIN, undefined).cost;
    expect(cost).toEqual({ currency: 'EUR', per_hour: perHour, per_day: perDay, per_million_tokens: null });
  });

  test.each([[{ currency: 'EUR' }], [{ perHour: '1' }], [{ currency: 'EUR', perHour: '1e3' }]])(
    'is not known of %j',
    (cost) => {
      expect(summaryOf(deployment({ cost }), ADMIN, undefined).cost).toBeNull();
    },
  );
});

test('of a resource nothing is kept that nobody reads', () => {
  const kept = JSON.stringify(deployment(STATUS, { engine: { maxModelLen: 4096 }, podLabels: { a: 'b' } }));
  expect(kept).not.toMatch(/managedFields|specHash|engine|podLabels|observedGeneration|samples/);
});

test('messages name no node to who may not see nodes', () => {
  const message = 'Node gpu-1 with a replica does not answer. Look at it: kubectl describe node gpu-1';
  const condition = { type: 'Ready', status: 'False' as const, reason: 'NodeLost', message, lastTransitionTime: '' };
  const lost = deployment({ ...STATUS, conditions: [condition] });
  const without = 'Node NODE with a replica does not answer. Look at it: kubectl describe node NODE';
  const { message: shown, conditions } = detailOf(lost, VIEWER, undefined);
  expect([shown, conditions[0]?.message]).toEqual([without, without]);
  expect(JSON.stringify(detailOf(lost, VIEWER, undefined))).not.toContain('gpu-1');
  expect(summaryOf(lost, ADMIN, undefined).message).toBe(message);
});
