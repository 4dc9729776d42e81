import { describe, expect, test } from '@jest/globals';
import { readyPod, replicaPod } from '../../../test/support/resources.ts';
import type { Deployment, DeploymentStatus, Pod } from '../../api/kubernetes.ts';
import type { ReplicaContext } from './context.ts';
import { endedByNode, leaving, ofNewestRevision, outgrown } from './endings.ts';

const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  startupTimeoutSeconds: 600,
};

function over(reason: string, message: string): Pod {
  return replicaPod({}, { phase: 'Failed', reason, message });
}

const CACHE_FULL = 'Usage of EmptyDir volume "model" exceeds the limit "200Gi". ';

test.each([
  [
    'a model cache that was too small',
    over('Evicted', CACHE_FULL),
    'DiskFull',
    'A replica used more than the 200Gi of disk that it has for the model. Raise modelCache.sizeLimit of profile gpu.a100, or choose a smaller model.',
  ],
  [
    'shared memory that was too small',
    over('Evicted', 'Usage of EmptyDir volume "shared-memory" exceeds the limit "2Gi". '),
    'OutOfMemory',
    'A replica used more than the 2Gi of /dev/shm that it has. Raise sharedMemory of profile gpu.a100.',
  ],
  [
    'a limit that the namespace sets',
    over('Evicted', 'Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. '),
    'DiskFull',
    'Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. Raise the limit of ephemeral-storage in the LimitRange of the namespace.',
  ],
  [
    'a disk of the node that is full, without the amounts that differ each time',
    over(
      'Evicted',
      'The node was low on resource: ephemeral-storage. Threshold quantity: 1073741824, available: 100Ki. Container engine was using 1234Ki, request is 0, has larger consumption of ephemeral-storage. ',
    ),
    'Evicted',
    'The node ended a replica: The node was low on resource: ephemeral-storage. Free disk on the node. Kubernetes starts another.',
  ],
  [
    'a critical pod of the node',
    over('Preempting', 'Preempted in order to admit critical pod'),
    'Preempted',
    'Kubernetes gave the place of a replica to a pod of higher priority. Free a GPU, or raise priorityClassName of the profile.',
  ],
  [
    'something that Kubernetes does not tell any more',
    replicaPod({}, { phase: 'Succeeded' }),
    'EndedByNode',
    'The node ended a replica, as it does where one uses too much disk; its event tells why: kubectl -n team-a get events --field-selector reason=Evicted',
  ],
  [
    'a GPU that the device plugin did not give',
    over('UnexpectedAdmissionError', 'Allocate failed due to no healthy devices'),
    'EndedByNode',
    'The node ended a replica: Allocate failed due to no healthy devices. Kubernetes starts another.',
  ],
])('%s ended a replica', (_sentence, pod, reason, message) => {
  expect(endedByNode(pod, context)).toEqual({ phase: 'failed', problem: { reason, message } });
});

function going(conditions: NonNullable<NonNullable<Pod['status']>['conditions']>): Pod {
  const pod = replicaPod({}, { conditions });
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}

test.each([
  ['of itself drains', going([{ type: 'Ready', status: 'True' }]), 'Draining'],
  [
    'for a pod of higher priority says so',
    going([{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }]),
    'Preempted',
  ],
  [
    'with its node says so',
    going([
      { type: 'ContainersReady', status: 'True' },
      { type: 'Ready', status: 'False' },
      { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' },
    ]),
    'NodeLost',
  ],
])('a replica that leaves %s', (_sentence, pod, reason) => {
  expect(leaving(pod)).toMatchObject({ phase: 'draining', problem: { reason } });
});

function at(minute: number): string {
  return `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`;
}

/** `pod` of the revision that was made `minute` minutes after midnight. */
function made(pod: Pod, minute: number, revision = 'a'): Pod {
  return {
    ...pod,
    metadata: { ...pod.metadata, creationTimestamp: at(minute), labels: { 'pod-template-hash': revision } },
  };
}

function readySince(minute: number): Pod {
  const ready = readyPod();
  const lastTransitionTime = at(minute);
  return { ...ready, status: { ...ready.status, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] } };
}

describe('outgrown', () => {
  const evicted = made(over('Evicted', CACHE_FULL), 10);
  const successor = made(replicaPod({ state: { running: {} } }), 11);

  test('tells of the limit while the next replica loads, since it will end in the same way', () => {
    expect(outgrown([evicted, successor], undefined, context)?.reason).toBe('DiskFull');
  });

  test('tells of an end of which Kubernetes does not tell why, too, and of the last one', () => {
    const ended = made(replicaPod({ state: { terminated: { exitCode: 0 } } }, { phase: 'Succeeded' }), 9);
    expect(outgrown([ended, successor], undefined, context)?.reason).toBe('EndedByNode');
    expect(outgrown([evicted, ended, successor], undefined, context)?.reason).toBe('DiskFull');
  });

  test('tells of one that ended after another replica had become ready', () => {
    const terminated = { exitCode: 137, finishedAt: '2026-01-01T00:20:00Z' };
    const status = {
      ...evicted.status,
      containerStatuses: [{ name: 'engine', ready: false, restartCount: 0, state: { terminated } }],
    };
    expect(outgrown([{ ...evicted, status }, successor, made(readySince(12), 10)], undefined, context)?.reason).toBe(
      'DiskFull',
    );
  });

  test('tells of it also where another replica has served since before', () => {
    expect(outgrown([evicted, successor, made(readySince(9), 1)], undefined, context)?.reason).toBe('DiskFull');
  });

  test.each([
    ['a replica has become ready since', [evicted, made(readySince(12), 11)]],
    ['a newer revision is on its way', [evicted, successor, made(replicaPod({}), 12, 'b')]],
    ['the node was short of memory for once', [made(over('Evicted', 'low on memory'), 10), successor]],
  ])('tells nothing where %s', (_sentence, pods) => {
    expect(outgrown(pods, undefined, context)).toBeUndefined();
  });
});

test('the newest revision is that of the pod that was made last', () => {
  const [old, next] = [made(replicaPod({}), 1, 'a'), made(replicaPod({}), 2, 'b')];
  expect(ofNewestRevision([old, next], undefined)).toEqual([next]);
  expect(ofNewestRevision([], undefined)).toEqual([]);
});

test('of two revisions that were made within one second, the newest is the one that does not serve', () => {
  const [old, next] = [made(readySince(1), 1, 'a'), made(replicaPod({}), 1, 'b')];
  expect(ofNewestRevision([old, next], undefined)).toEqual([next]);
  expect(ofNewestRevision([next, old], undefined)).toEqual([next]);
});

/** A Deployment with one of two replicas of its template, of which Kubernetes says this. */
function rollingOut(
  message: string,
  more: DeploymentStatus & { reason?: string; lastUpdateTime?: string } = {},
): Deployment {
  const { reason = 'ReplicaSetUpdated', lastUpdateTime = at(1), ...status } = more;
  const conditions = [{ type: 'Progressing', status: 'True', reason, message, lastUpdateTime }];
  return {
    metadata: { name: 'infer-chat', generation: 2 },
    status: { observedGeneration: 2, replicas: 2, updatedReplicas: 1, conditions, ...status },
  } as Deployment;
}

describe('a replica of the old revision that was made again', () => {
  const [failing, again] = [made(replicaPod({}), 2, '7d4b9c'), made(readySince(5), 4, '5f47dd')];
  const PROGRESSING = 'ReplicaSet "infer-chat-7d4b9c" is progressing.';

  /** A rollout of the old revision was completed in this minute, which Kubernetes goes on telling. */
  const completed = (minute: number, more: DeploymentStatus = {}): Deployment =>
    rollingOut('ReplicaSet "infer-chat-5f47dd" has successfully progressed.', {
      ...more,
      reason: 'NewReplicaSetAvailable',
      lastUpdateTime: at(minute),
    });

  test.each([
    'Created new replica set "infer-chat-7d4b9c"',
    'Found new replica set "infer-chat-7d4b9c"',
    PROGRESSING,
    'ReplicaSet "infer-chat-7d4b9c" has timed out progressing.',
  ])('is not of the newest, as Kubernetes says: %s', (message) => {
    expect(ofNewestRevision([failing, again], rollingOut(message))).toEqual([failing]);
  });

  test.each([
    ['Kubernetes has yet to see another change', rollingOut(PROGRESSING, { observedGeneration: 1 })],
    ['Kubernetes has yet to count it', rollingOut(PROGRESSING, { replicas: 1 })],
    ['Kubernetes still tells of the rollout before', completed(1)],
    ['Kubernetes still tells of the rollout before, and has yet to count it', completed(1, { replicas: 1 })],
  ])('is not of the newest where %s', (_sentence, deployment) => {
    expect(ofNewestRevision([failing, again], deployment)).toEqual([failing]);
  });

  test.each([
    ['it says another thing', rollingOut('Deployment "infer-chat" is progressing.')],
    ['none of the replicas that it names is there', rollingOut('ReplicaSet "infer-chat-844c58" is progressing.')],
  ])('is taken for it by its age where %s', (_sentence, deployment) => {
    expect(ofNewestRevision([failing, again], deployment)).toEqual([again]);
  });

  test('is of the newest where that was rolled out since, and one of the other is left over', () => {
    expect(ofNewestRevision([failing, again], completed(3))).toEqual([again]);
  });

  test('is told from two newer ones of which Kubernetes has named none yet, and the younger of them is the newest', () => {
    const mended = made(replicaPod({}), 3, '66696465');
    expect(ofNewestRevision([failing, mended, again], completed(1))).toEqual([mended]);
  });

  test('is not told of while it leaves, where Kubernetes names no newer one', () => {
    const evicted = made(over('Evicted', CACHE_FULL), 3, '5f47dd');
    const leaving = made(going([]), 4, '5f47dd');
    const next = made(replicaPod({}), 9, '7d4b9c');
    expect(outgrown([evicted, leaving, next], completed(8), context)).toBeUndefined();
    expect(outgrown([evicted, leaving], completed(8), context)?.reason).toBe('DiskFull');
  });

  test('does not hide that those of the new one outgrow what they have', () => {
    const evicted = made(over('Evicted', CACHE_FULL), 1, '7d4b9c');
    expect(outgrown([evicted, failing, again], rollingOut(PROGRESSING), context)?.reason).toBe('DiskFull');
    expect(outgrown([evicted, failing, again], undefined, context)).toBeUndefined();
  });
});
