import { beforeEach, expect, test } from '@jest/globals';
import { inferenceDeployment, INSTALL, observation } from '../../test/support/resources.ts';
import { MemoryLogger } from '../../test/support/kube.ts';
import type { Deployment } from '../api/kubernetes.ts';
import { Contention } from '../autoscaler/contention.ts';
import { Scaler } from '../autoscaler/scaler.ts';
import { effectiveSpec } from '../api/defaults.ts';
import { atFloor, targetsOf } from '../autoscaler/standing.ts';
import type { Caches } from './caches.ts';
import type { Gateways } from './gateways.ts';
import type { Observation } from './gather.ts';
import { plan } from './plan.ts';
import { ScalingSight } from './scaling-sight.ts';
import { decisionOn, type Scaling } from './scaling.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

let scaling: Pick<Scaling, 'scaler' | 'contention' | 'since'>;

beforeEach(() => {
  const scaler = new Scaler({
    active: () => [],
    observe: () => undefined,
    hasWork: () => false,
    staleMs: () => 0,
    all: () => [],
    onChange: () => undefined,
    now: () => 0,
    logger: new MemoryLogger(),
  });
  scaling = { scaler, contention: new Contention(), since: NOW };
});

/** The Deployment `infer-chat` with ten replicas, of the resource with this UID. */
function ofOwner(uid: string): Deployment {
  const resource = inferenceDeployment();
  resource.metadata.uid = uid;
  const deployment = plan(observation({ resource }), INSTALL, NOW).children?.deployment;
  if (deployment === undefined) throw new Error('the plan has no Deployment');
  return { ...deployment, spec: { ...deployment.spec, replicas: 10 } };
}

function seen(deployment: Deployment): Observation {
  const resource = inferenceDeployment({ maxReplicas: 20 });
  return observation({ resource, children: { ...observation().children, deployment } });
}

test('a resource made again does not begin with the replicas of its predecessor', () => {
  expect(decisionOn(seen(ofOwner('uid-before')), { scaling })).toMatchObject({ replicas: 1, reason: 'MinReplicas' });
  // Another leader's first word.
  scaling.scaler.forget('uid-chat');
  expect(decisionOn(seen(ofOwner('uid-chat')), { scaling })).toMatchObject({ replicas: 10, reason: 'Steady' });
});

test('nor is its count left to who wrote that of its predecessor', () => {
  const managedFields = [{ manager: 'hpa', fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const contested = { type: 'ScalingActive', status: 'False', reason: 'ReplicasContested', message: 'm' } as const;
  const reasonWith = (uid: string): string => {
    const deployment = ofOwner(uid);
    deployment.metadata.managedFields = managedFields;
    const looked = seen(deployment);
    looked.resource.status = { conditions: [{ ...contested, lastTransitionTime, observedGeneration: 1 }] };
    return decisionOn(looked, { scaling: { ...scaling, contention: new Contention() } }).reason;
  };
  expect(reasonWith('uid-before')).toBe('MinReplicas');
  expect(reasonWith('uid-chat')).toBe('ReplicasContested');
});

/** What the scaler sees where the Deployment of that name is of the resource with this UID. */
function currentOf(uid: string): number | undefined {
  const caches = {
    inferenceDeployments: { byIndex: () => [inferenceDeployment()] },
    pods: { byIndex: () => [] },
    deployments: { get: () => ofOwner(uid) },
    inferenceBatches: { byIndex: () => [] },
  } as unknown as Caches;
  const gateways = { takeSample: () => undefined } as unknown as Gateways;
  const sight = new ScalingSight(caches, gateways, NOW).observe('uid-chat');
  expect(sight?.live.replicas).toBe(sight?.observation.replicas.current);
  return sight?.live.replicas;
}

test('the scaler does not see the Deployment of a predecessor either', () => {
  expect(currentOf('uid-before')).toBe(0);
  expect(currentOf('uid-chat')).toBe(10);
});

/** What is decided where its own Deployment has 7 replicas and the count was left to `managers`. */
function decided(managers: readonly string[] | undefined): ReturnType<typeof decisionOn> {
  const deployment = ofOwner('uid-chat');
  deployment.spec.replicas = 7;
  const standing = atFloor(targetsOf(effectiveSpec(inferenceDeployment().spec)));
  const stubs = { scaler: { standing: () => standing }, contention: { leftTo: () => managers } };
  return decisionOn(seen(deployment), { scaling: stubs } as unknown as Parameters<typeof decisionOn>[1]);
}

test('the decision is the scaler’s, and the live count where others keep writing it', () => {
  expect(decided(undefined)).toMatchObject({ replicas: 1, reason: 'MinReplicas' });
  expect(decided(['hpa', 'kubectl'])).toMatchObject({
    replicas: 7,
    reason: 'ReplicasContested',
    message: expect.stringContaining('is also written by hpa, kubectl. Remove'),
  });
});

test('the message fits into a condition, however many others there are and however long their names', () => {
  const managers = Array.from({ length: 12 }, (_, index) => String(index).padEnd(128, 'm'));
  const { message } = decided(managers);
  expect(message.length).toBeLessThanOrEqual(1_024);
  expect(message).toContain(`${managers[2] ?? ''} and 9 more. Remove`);
});
