import { beforeEach, describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { Deployment } from '../api/kubernetes.ts';
import { Contention } from './contention.ts';

let contention: Contention;
let resource: InferenceDeployment;
let now: number;

beforeEach(() => {
  contention = new Contention();
  resource = inferenceDeployment();
  now = 1_000_000;
});

function ownedBy(...managers: string[]): Deployment {
  const managedFields = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }));
  return { metadata: { name: 'infer-chat', managedFields }, spec: { replicas: 1 } } as unknown as Deployment;
}

function left(...managers: string[]): readonly string[] | undefined {
  return contention.leftTo(resource, ownedBy(...managers), now);
}

/** The scaler takes the field back, and loses it again. */
function lose(to: string, afterMs = 1_000): readonly string[] | undefined {
  contention.written('uid-chat');
  now += afterMs;
  return left(to);
}

test('the count before the hand-over, and while the scaler alone has it, is its own', () => {
  expect(contention.leftTo(resource, undefined, now)).toBeUndefined();
  for (let pass = 0; pass < 5; pass += 1) expect([left('infer'), left('infer-scaler')]).toEqual([undefined, undefined]);
});

test('is left to whoever took it three times within five minutes', () => {
  expect(lose('kubectl')).toBeUndefined();
  expect(lose('hpa')).toBeUndefined();
  expect(lose('hpa')).toEqual(['hpa']);
  now += 86_400_000;
  expect(left('hpa')).toEqual(['hpa']);
});

test('is left to whoever takes it every few minutes, the fifth time within an hour', () => {
  for (let time = 0; time < 4; time += 1) expect(lose('argocd', 180_000)).toBeUndefined();
  expect(lose('argocd', 180_000)).toEqual(['argocd']);
});

test('is not left to one who takes it now and then', () => {
  for (let time = 0; time < 9; time += 1) expect(lose('kubectl', 901_000)).toBeUndefined();
});

test('one loss that several passes see, before the field was taken back, counts once', () => {
  for (let pass = 0; pass < 9; pass += 1) expect(left('kubectl')).toBeUndefined();
});

describe('what was left is taken again', () => {
  beforeEach(() => {
    for (let time = 0; time < 3; time += 1) lose('hpa');
    expect(left('hpa')).toEqual(['hpa']);
  });

  test('when the spec changed, and given up again only after three more losses', () => {
    resource.metadata.generation = 2;
    expect([left('hpa'), lose('hpa'), lose('hpa'), lose('hpa')]).toEqual([undefined, undefined, undefined, ['hpa']]);
  });

  test('when that manager has it no longer', () => {
    expect(left('infer-scaler')).toBeUndefined();
  });

  test('not by the leader that comes next, as long as the spec is the same', () => {
    const lastTransitionTime = '2026-01-01T00:00:00Z';
    const condition = { type: 'ScalingActive', status: 'False', reason: 'ReplicasContested', message: 'm' } as const;
    resource.status = { conditions: [{ ...condition, lastTransitionTime, observedGeneration: 1 }] };
    contention = new Contention();
    expect(left('hpa')).toEqual(['hpa']);
    resource.metadata.generation = 2;
    contention = new Contention();
    expect(left('hpa')).toBeUndefined();
  });
});
