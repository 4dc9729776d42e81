import { describe, expect, test } from '@jest/globals';
import { inferenceDeployment, readyPod, replicaPod } from '../../test/support/resources.ts';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { DRAINING_SINCE_ANNOTATION } from '../api/labels.ts';
import { replicaCounts, startTimes } from './replica-counts.ts';

const resource = inferenceDeployment();

function deployment(replicas: number, message?: string): Deployment {
  const conditions = message === undefined ? [] : [{ type: 'ReplicaFailure', status: 'True', message }];
  return { metadata: { name: 'infer-chat' }, spec: { replicas } as Deployment['spec'], status: { conditions } };
}

function counts(replicas: number, pods: Pod[], refused?: string): ReturnType<typeof replicaCounts> {
  return replicaCounts(resource, deployment(replicas, refused), pods);
}

function withMetadata(pod: Pod, metadata: Partial<Pod['metadata']>): Pod {
  return { ...pod, metadata: { ...pod.metadata, ...metadata } };
}

/** `pod` of a template, made `second` seconds after midnight. */
function made(pod: Pod, hash: string, second: number): Pod {
  const labels = { ...pod.metadata.labels, 'pod-template-hash': hash };
  return withMetadata(pod, { creationTimestamp: `2026-01-01T00:00:0${second}Z`, labels });
}

const loading = replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } });
const crashed = replicaPod({
  restartCount: 4,
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 1, reason: 'Error' } },
});
const marked = withMetadata(readyPod(), { annotations: { [DRAINING_SINCE_ANNOTATION]: '2026-01-01T00:00:00Z' } });
const terminating = withMetadata(readyPod(), { deletionTimestamp: '2026-01-01T00:00:00Z' });

function unplaced(message: string): Pod {
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  return { metadata: { name: 'p' }, spec: {}, status: { phase: 'Pending', conditions } };
}

const noGpu = unplaced('0/2 nodes are available: 2 Insufficient nvidia.com/gpu.');

test('a replica that serves is ready, unless it was chosen to go or goes', () => {
  expect(counts(3, [readyPod(), readyPod(), marked, terminating])).toEqual({
    current: 3,
    ready: 2,
    pending: 0,
    blocked: 0,
    blockedBy: undefined,
  });
});

test('those that load are capacity to come, and so are those that Kubernetes has yet to make', () => {
  expect(counts(5, [readyPod(), loading, terminating])).toEqual({
    current: 5,
    ready: 1,
    pending: 4,
    blocked: 0,
    blockedBy: undefined,
  });
});

test('a pod that ended for good is none; its successor is', () => {
  const evicted: Pod = { ...readyPod(), status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low.' } };
  expect(counts(1, [evicted])).toMatchObject({ ready: 0, pending: 1, blocked: 0 });
});

test('no Deployment has no replicas', () => {
  expect(replicaCounts(resource, undefined, [])).toMatchObject({ current: 0, ready: 0, pending: 0, blocked: 0 });
});

const outgrew: Pod = {
  ...withMetadata(readyPod(), { creationTimestamp: '2026-01-01T00:00:00Z' }),
  status: {
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "model" exceeds the limit "1Gi". ',
  },
};

describe('is no capacity to come', () => {
  const quota = 'pods "infer-chat-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1';
  test.each<[string, Pod[], string | undefined, string, number]>([
    ['a replica without a GPU', [noGpu], undefined, 'WaitingForGPU', 1],
    [
      'a replica without a node that matches',
      [unplaced("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.")],
      undefined,
      'WaitingForGPU',
      1,
    ],
    ['what the quota has no room for', [], quota, 'WaitingForGPU', 2],
    ['what a policy forbids', [], 'pods "infer-chat-x" is forbidden: by policy', 'Failing', 2],
    ['a replica that crashes', [crashed], undefined, 'Failing', 1],
    ['a replica whose image is not there', [image()], undefined, 'Failing', 1],
    ['one that takes the place of those that outgrew their disk', [outgrew, loading], undefined, 'Failing', 1],
    ['one that crashes beside one that waits', [crashed, noGpu], undefined, 'Failing', 2],
  ])('%s', (_, pods, refused, blockedBy, blocked) => {
    const current = 1 + (refused === undefined ? blocked : 2);
    const result = counts(current, [readyPod(), ...pods], refused);
    expect(result).toEqual({ current, ready: 1, pending: 0, blocked, blockedBy });
  });
});

test('one that will outgrow its disk is none, also where one of the old template was made again', () => {
  const message = 'ReplicaSet "infer-chat-b" is progressing.';
  const rollingOut: Deployment = {
    ...deployment(2),
    status: { replicas: 2, updatedReplicas: 1, conditions: [{ type: 'Progressing', status: 'True', message }] },
  };
  const pods = [made(outgrew, 'b', 1), made(loading, 'b', 2), made(readyPod(), 'a', 3)];
  expect(replicaCounts(resource, rollingOut, pods)).toMatchObject({ ready: 1, pending: 0, blockedBy: 'Failing' });
});

function image(): Pod {
  return replicaPod({ state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } });
}

interface Start {
  restartCount?: number;
  engineAt?: string;
  placedAt?: string;
}

function started(readyAt: string, more: Start = {}): Pod {
  const { restartCount = 0, engineAt = '2026-01-01T00:00:10Z', placedAt = '2026-01-01T00:00:05Z' } = more;
  const conditions = [
    { type: 'PodScheduled', status: 'True', lastTransitionTime: placedAt },
    { type: 'Ready', status: 'True', lastTransitionTime: readyAt },
  ];
  const pod = replicaPod(
    { ready: true, restartCount, state: { running: { startedAt: engineAt } } },
    { phase: 'Running', conditions },
  );
  return withMetadata(pod, { creationTimestamp: '2026-01-01T00:00:00Z' });
}

describe('the time of a start', () => {
  const options = { afterMs: Date.parse('2026-01-01T00:00:00Z'), startupTimeoutSeconds: 600 };

  test('is from its place on a node to its readiness, once', () => {
    const pods = [started('2026-01-01T00:01:05Z'), started('2026-01-01T00:00:35Z'), loading];
    const first = startTimes(pods, options);
    expect(first).toEqual({ startTimesMs: [60_000, 30_000], untilMs: Date.parse('2026-01-01T00:01:05Z') });
    const later = [...pods, started('2026-01-01T00:02:05Z')];
    const next = startTimes(later, { ...options, afterMs: first.untilMs });
    expect(next).toEqual({ startTimesMs: [120_000], untilMs: Date.parse('2026-01-01T00:02:05Z') });
    expect(startTimes(later, { ...options, afterMs: next.untilMs })).toEqual({ ...next, startTimesMs: [] });
  });

  test('has no part of the wait for a GPU', () => {
    const waited = started('2026-01-01T03:01:05Z', {
      placedAt: '2026-01-01T03:00:05Z',
      engineAt: '2026-01-01T03:00:10Z',
    });
    expect(startTimes([waited], options).startTimesMs).toEqual([60_000]);
  });

  test('is not that of an engine that was started anew or was ready before', () => {
    const again = started('2026-01-01T05:00:00Z', { restartCount: 1, engineAt: '2026-01-01T04:59:00Z' });
    const flapped = started('2026-01-01T05:00:00Z');
    expect(startTimes([again, flapped], options)).toEqual({ startTimesMs: [], untilMs: options.afterMs });
  });

  test('is none where a clock or a field is wrong', () => {
    const before = startTimes([started('2026-01-01T00:00:04Z')], options);
    expect(before.startTimesMs).toEqual([0]);
    const undated = started('2026-01-01T00:01:00Z', { placedAt: 'yesterday' });
    expect(startTimes([undated, started('soon'), readyPod()], options).startTimesMs).toEqual([]);
  });
});
