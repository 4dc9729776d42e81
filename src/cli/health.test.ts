import { expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { ConditionStatus } from '../kube/conditions.ts';
import { healthOf } from './health.ts';

type Short = [status: ConditionStatus, reason: string];

function deployment(ready: Short | undefined, progressing: Short, observedGeneration = 2): InferenceDeployment {
  const condition = (type: string, [status, reason]: Short): object => ({ type, status, reason, message: reason });
  const conditions = [...(ready ? [condition('Ready', ready)] : []), condition('Progressing', progressing)];
  return {
    metadata: { name: 'chat', generation: 2 },
    spec: { model: { id: 'org/model' } },
    status: { observedGeneration, conditions } as NonNullable<InferenceDeployment['status']>,
  };
}

test.each<[string, Short | undefined, Short, string, string]>([
  ['serves', ['True', 'Serving'], ['True', 'Complete'], 'ready', 'Serving'],
  ['sleeps at zero', ['True', 'ScaledToZero'], ['True', 'Complete'], 'ready', 'ScaledToZero'],
  ['adds replicas', ['True', 'ServingBelowMinimum'], ['True', 'Scaling'], 'ready', 'ServingBelowMinimum'],
  ['rolls a change out', ['True', 'Serving'], ['True', 'RollingOut'], 'waiting', 'RollingOut'],
  ['lacks a GPU for a change', ['True', 'Serving'], ['False', 'WaitingForGPU'], 'waiting', 'WaitingForGPU'],
  ['fails with a change', ['True', 'Serving'], ['False', 'ModelGated'], 'failing', 'ModelGated'],
  ['loads', ['False', 'Loading'], ['True', 'Scaling'], 'waiting', 'Loading'],
  ['waits for a node', ['False', 'NoMatchingNode'], ['False', 'NoMatchingNode'], 'waiting', 'NoMatchingNode'],
  ['has a wrong token', ['False', 'TokenInvalid'], ['False', 'TokenInvalid'], 'failing', 'TokenInvalid'],
  ['is late', ['False', 'Downloading'], ['False', 'DeadlineExceeded'], 'failing', 'Downloading'],
  ['is stopped', ['False', 'Suspended'], ['True', 'Complete'], 'stopped', 'Suspended'],
  ['is not known yet', undefined, ['True', 'Complete'], 'waiting', 'Pending'],
])('one that %s', (_, ready, progressing, state, reason) => {
  expect(healthOf(deployment(ready, progressing))).toMatchObject({ state, reason });
});

test('a status of a former spec tells nothing of this one', () => {
  expect(healthOf(deployment(['True', 'Serving'], ['True', 'Complete'], 1)).state).toBe('waiting');
});
