import { describe, expect, test } from '@jest/globals';
import { readyPod, replicaPod } from '../../../test/support/resources.ts';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import type { EngineCause } from './engine-log.ts';
import { diagnoseReplica, engineEnd, type ReplicaContext } from './replica.ts';

const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  accelerator: '1 nvidia.com/gpu',
  tokenSecret: { name: 'hf-token', key: 'token' },
};

function unscheduled(message: string): Pod {
  return {
    metadata: { name: 'p' },
    spec: {},
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    },
  };
}

function downloading(download: Partial<ContainerStatus>): Pod {
  return replicaPod(
    { state: { waiting: { reason: 'PodInitializing' } } },
    { initContainerStatuses: [{ name: 'download', ready: false, restartCount: 0, ...download }] },
  );
}

const secretMissing = 'secret "hf-token" not found';
const gated = JSON.stringify({ reason: 'ModelGated', message: 'org/model is gated: ask for access on its page.' });

const rows: [sentence: string, pod: Pod, phase: string, reason: string | undefined, says: RegExp][] = [
  ['a ready replica has no problem', readyPod(), 'ready', undefined, /^$/],
  [
    'a pod with a deletion mark drains, whatever else it says',
    { ...readyPod(), metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } },
    'draining',
    'Draining',
    /leaves/,
  ],
  [
    'no free GPU waits for one and says how to get it',
    unscheduled('0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available'),
    'starting',
    'WaitingForGPU',
    /No node has 1 nvidia\.com\/gpu free for profile gpu\.a100: Insufficient nvidia\.com\/gpu\. Free a GPU, add a node, or lower minReplicas\./,
  ],
  [
    'no node of the kind points at the profile',
    unscheduled("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."),
    'starting',
    'WaitingForGPU',
    /Check the profile against the labels/,
  ],
  [
    'a claim that is missing is not taken for a missing GPU',
    unscheduled('0/1 nodes are available: persistentvolumeclaim "weights" not found. preemption: none'),
    'starting',
    'Unschedulable',
    /persistentvolumeclaim "weights" not found\. Create the claim in namespace team-a/,
  ],
  [
    'a missing token Secret names it and how to make it',
    downloading({ state: { waiting: { reason: 'CreateContainerConfigError', message: secretMissing } } }),
    'failed',
    'TokenMissing',
    /no Secret hf-token with key token\. Create it: kubectl -n team-a create secret/,
  ],
  [
    'an image that cannot be pulled names it',
    replicaPod({ image: 'registry.example/vllm:nope', state: { waiting: { reason: 'ImagePullBackOff' } } }),
    'failed',
    'ImagePullFailed',
    /image registry\.example\/vllm:nope .*imagePullSecrets/,
  ],
  [
    'a running download is a download',
    downloading({ state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }),
    'starting',
    'Downloading',
    /downloads the model/,
  ],
  [
    'a failed download says what the download said',
    downloading({ state: { terminated: { exitCode: 1, message: gated } } }),
    'failed',
    'ModelGated',
    /is gated/,
  ],
  [
    'a download that is tried again still shows its last failure, so that status does not flap',
    downloading({
      restartCount: 1,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      lastState: { terminated: { exitCode: 1, message: gated } },
    }),
    'failed',
    'ModelGated',
    /is gated/,
  ],
  [
    'a download that was killed is a failed download',
    downloading({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137 } } }),
    'failed',
    'DownloadFailed',
    /without saying why/,
  ],
  [
    'a running engine that was never ready loads',
    replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } }),
    'starting',
    'Loading',
    /loads the model/,
  ],
  [
    'a running engine that was ready before does not respond',
    replicaPod(
      { state: { running: { startedAt: '2026-01-01T00:00:10Z' } } },
      { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' }] },
    ),
    'failed',
    'NotResponding',
    /stopped answering/,
  ],
  [
    'an engine killed for memory names the limit to raise',
    replicaPod({ restartCount: 1, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
    'failed',
    'OutOfMemory',
    /Raise resources\.limits\.memory/,
  ],
  [
    'an engine that ended once says where to read why',
    replicaPod({ restartCount: 1, state: { running: {} }, lastState: { terminated: { exitCode: 1 } } }),
    'failed',
    'EngineFailed',
    /logs deployment\/infer-chat -c engine --previous/,
  ],
  [
    'an engine that ends again and again loops',
    replicaPod({
      restartCount: 4,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1 } },
    }),
    'failed',
    'CrashLooping',
    /again and again/,
  ],
  [
    'an engine that shut down in order because a probe gave up on it has failed too',
    replicaPod({
      restartCount: 9,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 0 } },
    }),
    'failed',
    'CrashLooping',
    /exit code 0 again and again/,
  ],
  [
    'one that crashed long ago and stopped answering now does not respond',
    replicaPod(
      {
        restartCount: 1,
        state: { running: { startedAt: '2026-01-01T00:00:10Z' } },
        lastState: { terminated: { exitCode: 1 } },
      },
      { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' }] },
    ),
    'failed',
    'NotResponding',
    /stopped answering/,
  ],
  [
    "the download's image is the install's, not the profile's",
    downloading({ image: 'registry.example/infer:nope', state: { waiting: { reason: 'ErrImagePull' } } }),
    'failed',
    'ImagePullFailed',
    /INFER_IMAGE/,
  ],
  [
    'an evicted pod says what the node said',
    { metadata: { name: 'p' }, status: { phase: 'Failed', reason: 'Evicted', message: 'low on ephemeral-storage' } },
    'failed',
    'Evicted',
    /low on ephemeral-storage/,
  ],
];

describe('diagnoseReplica', () => {
  test.each(rows)('%s', (_sentence, pod, phase, reason, says) => {
    const state = diagnoseReplica(pod, context);
    expect(state.phase).toBe(phase);
    expect(state.problem?.reason).toBe(reason);
    expect(state.problem?.message ?? '').toMatch(says);
  });

  test('a CPU profile that fits no node does not speak of GPUs', () => {
    const { accelerator: _none, ...cpu } = context;
    const state = diagnoseReplica(unscheduled('0/1 nodes are available: 1 Insufficient cpu.'), cpu);
    expect(state.problem?.reason).toBe('Unschedulable');
    expect(state.problem?.message).not.toMatch(/GPU/);
  });
});

const cause: EngineCause = { reason: 'GPUOutOfMemory', message: 'CUDA out of memory. Lower engine.maxNumSeqs.' };
const end = { exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:01:00Z', containerID: 'containerd://a' };

describe('what the log of an engine says', () => {
  test.each([
    ['while the container is over', { restartCount: 0, state: { terminated: end } }],
    ['while it waits to start again', { restartCount: 4, state: { waiting: {} }, lastState: { terminated: end } }],
    ['while it runs again', { restartCount: 5, state: { running: {} }, lastState: { terminated: end } }],
  ])('is shown %s, also in a crash loop', (_sentence, engine) => {
    expect(diagnoseReplica(replicaPod(engine), context, cause)).toEqual({ phase: 'failed', problem: cause });
  });

  test('yields to the kernel, which killed the engine for its memory', () => {
    const pod = replicaPod({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } });
    expect(diagnoseReplica(pod, context, cause).problem?.reason).toBe('OutOfMemory');
  });

  test('is not shown of an engine that has served since', () => {
    expect(diagnoseReplica(readyPod(), context, cause)).toEqual({ phase: 'ready' });
  });

  test('is main memory on a CPU profile', () => {
    const { accelerator: _none, ...cpu } = context;
    const { problem } = diagnoseReplica(replicaPod({ lastState: { terminated: end } }), cpu, cause);
    expect(problem).toEqual({ reason: 'OutOfMemory', message: cause.message });
  });
});

describe('engineEnd', () => {
  test('of one failure is the same while it is the current container and the previous one', () => {
    const over = engineEnd(replicaPod({ restartCount: 0, state: { terminated: end } }));
    const waiting = engineEnd(replicaPod({ restartCount: 0, state: { waiting: {} }, lastState: { terminated: end } }));
    const again = engineEnd(replicaPod({ restartCount: 1, state: { running: {} }, lastState: { terminated: end } }));
    expect(over).toEqual({ key: 'pod-1/containerd://a/2026-01-01T00:01:00Z', previous: false });
    expect(waiting).toEqual({ ...over, previous: true });
    expect(again).toEqual(waiting);
  });

  test.each([
    ['serves', { ...readyPod(), metadata: { name: 'p' } }],
    ['loads for the first time', replicaPod({ state: { running: {} } })],
    ['has no container yet', replicaPod({}, { containerStatuses: [] })],
    ['leaves', { ...replicaPod({ state: { terminated: end } }), metadata: { name: 'p', deletionTimestamp: 'x' } }],
    ['is over for good', replicaPod({ state: { terminated: end } }, { phase: 'Failed' })],
    ['was killed for its memory', replicaPod({ lastState: { terminated: { ...end, reason: 'OOMKilled' } } })],
    [
      'crashed once, served, and does not answer now',
      replicaPod(
        { state: { running: { startedAt: '2026-01-01T00:00:10Z' } }, lastState: { terminated: end } },
        { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' }] },
      ),
    ],
  ])('of a replica that %s is not to be read', (_sentence, pod) => {
    expect(engineEnd(pod)).toBeUndefined();
  });
});

test.each([
  '0/1 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint {a: b}. preemption: 0/1',
  '0/5 nodes are available: 2 node(s) had untolerated taint {a: b}, 3 Insufficient nvidia.com/gpu. preemption: 0/5',
  '0/9 nodes are available: 1 node(s) had untolerated taint {a: b}, 8 Insufficient nvidia.com/gpu.',
])('what the scheduler says is told the same for any number of nodes: %s', (message) => {
  expect(diagnoseReplica(unscheduled(message), context).problem?.message).toContain(
    'for profile gpu.a100: Insufficient nvidia.com/gpu, node(s) had untolerated taint {a: b}. Check the profile',
  );
});
