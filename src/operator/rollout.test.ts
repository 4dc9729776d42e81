import { describe, expect, test } from '@jest/globals';
import type { Deployment, DeploymentStatus, Pod } from '../api/kubernetes.ts';
import { planRollout, REPLACE, SURGE, type RolloutInput } from './rollout.ts';

const NOW = new Date('2026-01-01T00:01:00Z');
const WAITED = '2026-01-01T00:00:30Z';
const NO_GPU = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';

const rolling: DeploymentStatus = { observedGeneration: 2, replicas: 2, updatedReplicas: 1 };

function deployment(status: DeploymentStatus, strategy = SURGE): Deployment {
  return {
    metadata: { name: 'infer-chat', generation: 2 },
    spec: { strategy: { type: 'RollingUpdate', rollingUpdate: strategy } },
    status,
  } as unknown as Deployment;
}

interface PodParts {
  nodeName?: string;
  message?: string;
  since?: string;
  node?: Record<string, string>;
  gpus?: string;
  deleted?: boolean;
}

function pod({ nodeName, message, since = WAITED, node = {}, gpus = '1', deleted = false }: PodParts): Pod {
  const limits = { memory: '64Gi', 'nvidia.com/gpu': gpus };
  const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: since };
  return {
    metadata: { name: 'p', ...(deleted && { deletionTimestamp: WAITED }) },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      nodeSelector: node,
      containers: [{ name: 'engine', resources: { limits } }],
    },
    status: { conditions: message === undefined ? [] : [{ ...unscheduled, message }] },
  };
}

const old = pod({ nodeName: 'node-1' });
const extra = pod({ message: NO_GPU });

function strategy(pods: Pod[], more: Partial<RolloutInput> = {}): unknown {
  return planRollout({ deployment: deployment(rolling), pods, gpuWaitSeconds: 30, now: NOW, ...more });
}

describe('a rollout surges', () => {
  test.each([
    ['before the first apply', strategy([], { deployment: undefined })],
    ['when nothing rolls out', strategy([old, extra], { deployment: deployment({ ...rolling, updatedReplicas: 2 }) })],
    ['when the extra replica has a place', strategy([old, pod({ nodeName: 'node-2' })])],
    [
      'again, once one that replaced is at its end',
      strategy([old], { deployment: deployment({ ...rolling, updatedReplicas: 2 }, REPLACE) }),
    ],
  ])('%s', (_, planned) => {
    expect(planned).toEqual({ strategy: SURGE });
  });

  test('while the wait for room lasts, and says when it is over', () => {
    expect(strategy([old, pod({ message: NO_GPU, since: '2026-01-01T00:00:40Z' })])).toEqual({
      strategy: SURGE,
      lookAgainMs: 10_000,
    });
  });
});

test('on the status of another spec it stays as it is', () => {
  const unseen = { ...rolling, observedGeneration: 1 };
  expect(strategy([old, extra], { deployment: deployment(unseen) })).toEqual({ strategy: SURGE });
  expect(strategy([old, extra], { deployment: deployment(unseen, REPLACE) })).toEqual({ strategy: REPLACE });
});

describe('an old replica is left to serve where its going makes no room', () => {
  test.each([
    [
      'for a profile that no node matches',
      [old, pod({ message: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector." })],
    ],
    [
      'for nodes of another kind',
      [pod({ nodeName: 'n', node: { gpu: 'a100' } }), pod({ message: NO_GPU, node: { gpu: 'h100' } })],
    ],
    ['for more GPUs than it has', [old, pod({ message: NO_GPU, gpus: '4' })]],
    ['because there is none', [extra]],
    ['because it leaves already', [pod({ nodeName: 'node-1', deleted: true }), extra]],
  ])('%s', (_, pods) => {
    expect(strategy(pods)).toEqual({ strategy: SURGE });
  });
});

describe('a rollout replaces one at a time', () => {
  test('when the extra replica had no room for as long as the profile says', () => {
    expect(strategy([old, extra])).toEqual({ strategy: REPLACE });
  });

  test('when a quota has no room for it', () => {
    const refused = {
      type: 'ReplicaFailure',
      status: 'True',
      message: 'exceeded quota: gpus',
      lastTransitionTime: WAITED,
    };
    const live = deployment({ ...rolling, conditions: [refused] });
    expect(strategy([old], { deployment: live })).toEqual({ strategy: REPLACE });
  });

  test('to its end, though there is room by now', () => {
    expect(strategy([old], { deployment: deployment(rolling, REPLACE) })).toEqual({ strategy: REPLACE });
  });
});
