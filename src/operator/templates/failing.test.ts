import { describe, expect, test } from '@jest/globals';
import { observation, readyPod, replicaPod } from '../../../test/support/resources.ts';
import type { Deployment, DeploymentStatus, Pod } from '../../api/kubernetes.ts';
import { replicaContext } from '../diagnose/replica-context.ts';
import { hasFailed } from './failing.ts';

const context = replicaContext(observation());
const observed: DeploymentStatus = { observedGeneration: 2, updatedReplicas: 1 };

function failed(pods: Pod[], status: DeploymentStatus = observed): boolean {
  return hasFailed({ metadata: { name: 'infer-chat', generation: 2 }, status } as Deployment, pods, context);
}

const crashed = replicaPod({
  restartCount: 4,
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:30Z' } },
});
const crashedOnce = replicaPod({
  restartCount: 1,
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T00:00:30Z' } },
});
const noImage = replicaPod({ state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } });
const loading = replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } });
const silent = replicaPod(
  { state: { running: { startedAt: '2026-01-01T00:00:10Z' } } },
  { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' }] },
);
const noGpu = replicaPod(
  {},
  {
    conditions: [
      { type: 'PodScheduled', status: 'False', message: '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.' },
    ],
  },
);
const noNode = replicaPod(
  {},
  {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        message: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
      },
    ],
  },
);
const refused: DeploymentStatus = {
  observedGeneration: 2,
  conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'pods "a" is forbidden: no PriorityClass' }],
};

function newer(pod: Pod): Pod {
  const labels = { ...pod.metadata.labels, 'pod-template-hash': 'next' };
  return { ...pod, metadata: { ...pod.metadata, labels, creationTimestamp: '2026-01-02T00:00:00Z' } };
}

describe('hasFailed', () => {
  test.each<[string, Pod[]]>([
    ['crashes', [crashed]],
    ['has no image', [noImage]],
    ['fits on no node', [noNode]],
    ['fails in different ways', [crashed, noImage]],
  ])('where every replica %s', (_what, pods) => {
    expect(failed(pods)).toBe(true);
  });

  test.each<[string, Pod[]]>([
    ['serves', [readyPod()]],
    ['serves beside one that crashes', [crashed, readyPod()]],
    ['is of a former revision and serves', [newer(crashed), readyPod()]],
    ['ended once', [crashedOnce]],
    ['loads', [crashed, loading]],
    ['waits for a GPU', [noGpu]],
    ['does not answer, and may be busy', [silent]],
    ['is yet to come', []],
  ])('not where one of them %s', (_what, pods) => {
    expect(failed(pods)).toBe(false);
  });

  test('where Kubernetes refuses to make them', () => {
    expect(failed([], refused)).toBe(true);
    expect(failed([readyPod()], refused)).toBe(false);
  });

  test('not by the replicas of the template before, which this one has yet to replace', () => {
    expect(failed([crashed], { observedGeneration: 2, updatedReplicas: 0 })).toBe(false);
    expect(failed([crashed], refused)).toBe(false);
    expect(failed([crashed, newer(noNode)])).toBe(false);
  });

  test('not before Kubernetes has seen the last change', () => {
    expect(failed([crashed], { observedGeneration: 1 })).toBe(false);
    expect(hasFailed(undefined, [crashed], context)).toBe(false);
  });
});
