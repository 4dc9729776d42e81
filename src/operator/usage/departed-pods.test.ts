import { expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../../test/support/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Pod } from '../../api/kubernetes.ts';
import type { Change } from '../../kube/informer.ts';
import { DepartedPods } from './departed-pods.ts';

const KEY = 'team-a/uid-chat';
const NOW = Date.parse('2026-01-01T00:10:00Z');

function replica(uid: string): Pod {
  return {
    metadata: {
      name: uid,
      uid,
      namespace: 'team-a',
      labels: { 'infer.dev/deployment-uid': 'uid-chat' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
    },
    status: { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  };
}

function bed(known = true) {
  const onPod: ((change: Change<Pod>) => void)[] = [];
  const onDeployment: ((change: Change<InferenceDeployment>) => void)[] = [];
  const departed = new DepartedPods(
    {
      pods: { onChange: (listener) => void onPod.push(listener) },
      inferenceDeployments: {
        onChange: (listener) => void onDeployment.push(listener),
        byIndex: () => (known ? [inferenceDeployment()] : []),
      },
    },
    () => NOW,
  );
  const status = (usage: NonNullable<InferenceDeployment['status']>['usage']): void =>
    onDeployment[0]?.({ type: 'updated', object: { ...inferenceDeployment(), ...(usage && { status: { usage } }) } });
  return {
    uids: () => departed.of(KEY).map(({ pod }) => pod.metadata.uid),
    podGoes: (pod: Pod) => onPod[0]?.({ type: 'deleted', object: pod }),
    podChanges: (pod: Pod) => onPod[0]?.({ type: 'updated', object: pod }),
    status,
    deploymentGoes: () => onDeployment[0]?.({ type: 'deleted', object: inferenceDeployment() }),
  };
}

test('a replica that went is kept until the status counts its end', () => {
  const { podChanges, podGoes, status, uids } = bed();
  podChanges(replica('a'));
  expect(uids()).toEqual([]);
  podGoes(replica('a'));
  podGoes(replica('b'));
  expect(uids()).toEqual(['a', 'b']);
  const usage = { asOf: '2026-01-01T00:10:00Z', running: [{ uid: 'b', gpus: 1 }] };
  status(usage);
  expect(uids()).toEqual(['b']);
  status({ ...usage, asOf: '2026-01-01T00:09:59Z', running: [] });
  expect(uids()).toEqual(['b']);
  status({ ...usage, running: [] });
  expect(uids()).toEqual([]);
});

test('one that never had a place is nothing to count', () => {
  const { podGoes, status, uids } = bed();
  podGoes({ ...replica('a'), status: {} });
  status(undefined);
  expect(uids()).toEqual([]);
});

test('nothing is kept of deployments that are gone', () => {
  const { deploymentGoes, podGoes, uids } = bed();
  podGoes(replica('a'));
  deploymentGoes();
  expect(uids()).toEqual([]);
  const without = bed(false);
  without.podGoes(replica('a'));
  expect(without.uids()).toEqual([]);
});
