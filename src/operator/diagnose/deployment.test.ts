import { expect, test } from '@jest/globals';
import type { Deployment } from '../../api/kubernetes.ts';
import type { ReplicaContext } from './context.ts';
import { overdue, podsRefused } from './deployment.ts';

const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  startupTimeoutSeconds: 600,
};

type Condition = NonNullable<NonNullable<Deployment['status']>['conditions']>[number];

function deployment(condition: Condition): Deployment {
  return {
    metadata: { name: 'infer-chat', namespace: 'team-a' },
    spec: {} as Deployment['spec'],
    status: { conditions: [condition] },
  };
}

const rows: [sentence: string, message: string, reason: string, says: string][] = [
  [
    'a quota',
    'exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2',
    'QuotaExceeded',
    'has no room for another replica: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2. Raise the quota or lower minReplicas.',
  ],
  [
    'a priority class that is missing',
    'no PriorityClass with name urgent was found',
    'PodsRefused',
    'no PriorityClass with name urgent was found. Create PriorityClass urgent, or change priorityClassName of profile gpu.a100.',
  ],
  [
    'a runtime class that is missing',
    'pod rejected: RuntimeClass "nvidia" not found',
    'PodsRefused',
    'Create RuntimeClass nvidia, or change runtimeClassName of profile gpu.a100.',
  ],
  [
    'a LimitRange',
    'maximum memory usage per Container is 1Gi, but limit is 64Gi',
    'PodsRefused',
    'Change resources of profile gpu.a100, or the limits of the namespace: kubectl -n team-a describe limitrange,quota',
  ],
  [
    'a quota that wants every container to have a limit',
    'failed quota: cpu: must specify limits.cpu for: download,engine',
    'PodsRefused',
    'describe limitrange,quota',
  ],
  [
    'a policy',
    'violates PodSecurity "restricted:latest"',
    'PodsRefused',
    'Kubernetes refuses to create replicas: violates PodSecurity "restricted:latest". Change what forbids it, or ask who looks after the cluster.',
  ],
];

test.each(rows)('%s is told without the generated name', (_sentence, message, reason, says) => {
  const forbidden = `pods "infer-chat-7d-x2x" is forbidden: ${message}`;
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: forbidden };
  const problem = podsRefused(deployment(failure), context);
  expect(problem).toMatchObject({ reason, message: expect.stringContaining(says) });
  expect(problem?.message).not.toContain('x2x');
});

test('a refusal that is over is none', () => {
  expect(podsRefused(deployment({ type: 'ReplicaFailure', status: 'False' }), context)).toBeUndefined();
});

const late = deployment({ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' });
const loading = { reason: 'Loading', message: 'The engine loads the model.' } as const;

test('what every replica goes through is a failure once the time to start is over', () => {
  expect(overdue(loading, late)).toEqual({
    reason: 'StartupTimeout',
    message:
      'No replica was ready within startupTimeoutSeconds. The engine loads the model. Raise spec.startupTimeoutSeconds if it needs longer, or see what it does: kubectl -n team-a logs deployment/infer-chat --all-containers',
  });
});

test('another problem says more, and before that time nothing is late', () => {
  const gated = { reason: 'ModelGated', message: 'm' } as const;
  expect(overdue(gated, late)).toBe(gated);
  expect(overdue(loading, deployment({ type: 'Progressing', status: 'True' }))).toBe(loading);
});
