import { expect, test } from '@jest/globals';
import { readyPod } from '../../test/support/resources.ts';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { DRAINING_SINCE_ANNOTATION } from '../api/labels.ts';
import { liveCount } from './live-count.ts';

function ownedBy(manager: string): Deployment {
  const managedFields = [{ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
  return { metadata: { name: 'infer-chat', managedFields }, spec: { replicas: 3 } } as unknown as Deployment;
}

function withMetadata(metadata: Partial<Pod['metadata']>): Pod {
  const pod = readyPod();
  return { ...pod, metadata: { ...pod.metadata, ...metadata } };
}

const annotations = { [DRAINING_SINCE_ANNOTATION]: '2026-01-01T00:00:00Z' };

test('what the scaler wrote is decided, until a replica is marked to go', () => {
  expect(liveCount(ownedBy('infer-scaler'), [readyPod()])).toEqual({ replicas: 3, isDecided: true });
  expect(liveCount(ownedBy('infer-scaler'), [readyPod(), withMetadata({ annotations })]).isDecided).toBe(false);
});

test('a marked replica that goes already is no longer counted', () => {
  const going = withMetadata({ annotations, deletionTimestamp: '2026-01-01T00:00:00Z' });
  expect(liveCount(ownedBy('infer-scaler'), [going]).isDecided).toBe(true);
});

test('what others wrote, or nobody, is not decided', () => {
  expect(liveCount(ownedBy('kubectl'), [])).toEqual({ replicas: 3, isDecided: false });
  expect(liveCount(undefined, [])).toEqual({ replicas: 0, isDecided: false });
});
