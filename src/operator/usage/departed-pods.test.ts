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
  let resource = inferenceDeployment();
  const status = (usage: NonNullable<InferenceDeployment['status']>['usage']): void => {
    const previous = resource;
    resource = { ...inferenceDeployment(), ...(usage && { status: { usage } }) };
    onDeployment[0]?.({ type: 'updated', object: resource, previous });
  };
  return {
    lives: (...pods: Pod[]) => departed.lives(KEY, pods),
    uids: () => departed.lives(KEY, []).map(({ uid }) => uid),
    podIsRelabelled: (previous: Pod, object: Pod) => onPod[0]?.({ type: 'updated', object, previous }),
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

test('a replica that is labelled to be none any more has gone', () => {
  const { podIsRelabelled, status, uids } = bed();
  const free = { ...replica('a'), metadata: { ...replica('a').metadata, ownerReferences: [] } };
  podIsRelabelled(replica('a'), replica('a'));
  expect(uids()).toEqual([]);
  podIsRelabelled(replica('a'), free);
  expect(uids()).toEqual(['a']);
  // It is one again before that was counted.
  podIsRelabelled(free, replica('a'));
  expect(uids()).toEqual([]);
  podIsRelabelled(replica('a'), free);
  status({ asOf: '2026-01-01T00:10:00Z', running: [] });
  expect(uids()).toEqual([]);
});

test('one that comes back is counted from where its end was, and as one that is there', () => {
  const { lives, podGoes, status } = bed();
  const asOf = Date.parse('2026-01-01T00:10:00Z') / 1_000;
  const back = { uid: 'a', gpus: 0, since: asOf };
  status({ asOf: '2026-01-01T00:00:00Z', running: [{ uid: 'a', gpus: 0 }] });
  podGoes(replica('a'));
  expect(lives(replica('a'))).toEqual([{ ...back, since: asOf - 600 }]);
  status({ asOf: '2026-01-01T00:10:00Z', running: [] });
  expect(lives(replica('a'))).toEqual([back]);
  status({ asOf: '2026-01-01T01:10:00Z', running: [] });
  expect(lives(replica('a'))).toEqual([back]);
  // From here on the checkpoint alone tells.
  status({ asOf: '2026-01-01T01:10:01Z', running: [] });
  expect(lives(replica('a'))).toEqual([{ ...back, since: asOf - 600 }]);
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
