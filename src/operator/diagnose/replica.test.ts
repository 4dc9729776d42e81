import { describe, expect, test } from '@jest/globals';
import { readyPod, replicaPod } from '../../../test/support/resources.ts';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import type { ReplicaContext } from './context.ts';
import type { EngineCause } from './engine-log.ts';
import { diagnoseReplica, engineEnd } from './replica.ts';

const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  accelerator: '1 nvidia.com/gpu',
  tokenSecret: { name: 'hf-token', key: 'token' },
  startupTimeoutSeconds: 600,
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

/** Ten minutes and the preStop sleep. */
const late = { exitCode: 137, startedAt: '2026-01-01T00:00:05Z', finishedAt: '2026-01-01T00:10:05Z' };
const NO_PROGRAM =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "vllm": executable file not found in $PATH: unknown';

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
    'an engine that the startup probe ended says which field to raise',
    replicaPod({
      restartCount: 1,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: late },
    }),
    'failed',
    'StartupTimeout',
    /within startupTimeoutSeconds and was ended\. Raise spec\.startupTimeoutSeconds .* logs .*--previous/,
  ],
  [
    'it says so too while it is started once more, and however often',
    replicaPod({
      restartCount: 5,
      state: { running: { startedAt: late.finishedAt } },
      lastState: { terminated: late },
    }),
    'failed',
    'StartupTimeout',
    /within startupTimeoutSeconds/,
  ],
  [
    'an engine that served for longer than that and crashed was not late',
    replicaPod(
      { restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: late } },
      { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: late.finishedAt }] },
    ),
    'failed',
    'EngineFailed',
    /exit code 137/,
  ],
  [
    'one that was killed for its memory after so long was not late either',
    replicaPod({ lastState: { terminated: { ...late, reason: 'OOMKilled' } } }),
    'failed',
    'OutOfMemory',
    /limits\.memory/,
  ],
  [
    'an image without vLLM is no engine that failed',
    replicaPod({ state: { terminated: { exitCode: 128, reason: 'StartError', message: NO_PROGRAM } } }),
    'failed',
    'ContainerConfigInvalid',
    /cannot start container engine: exec: "vllm": executable file not found in \$PATH\. Its image in profile gpu\.a100 must be one of vLLM/,
  ],
  [
    'a node that does not answer is named: the node controller changes Ready alone',
    replicaPod(
      { ready: true, state: { running: { startedAt: '2026-01-01T00:00:10Z' } } },
      {
        conditions: [
          { type: 'ContainersReady', status: 'True' },
          { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' },
        ],
      },
    ),
    'failed',
    'NodeLost',
    /Node node-1 with a replica does not answer\. Bring it back, or delete it/,
  ],
  [
    'one that stopped answering its probe is not on a lost node',
    replicaPod(
      { state: { running: { startedAt: '2026-01-01T00:00:10Z' } } },
      {
        conditions: [
          { type: 'ContainersReady', status: 'False' },
          { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:05:00Z' },
        ],
      },
    ),
    'failed',
    'NotResponding',
    /stopped answering/,
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

  test.each([
    ['killed, by whom is not known', { exitCode: 137, reason: 'Error' }, 'OutOfMemory'],
    ['ended by itself', { exitCode: 1, reason: 'Error' }, undefined],
    ['lost by its node', { exitCode: 137, reason: 'ContainerStatusUnknown' }, undefined],
  ])('is told unless status tells already that memory was wanting, of one that was %s', (_, terminated, likely) => {
    for (const said of [undefined, { ...cause, reason: 'EngineFailed' as const }]) {
      const { problem } = diagnoseReplica(replicaPod({ lastState: { terminated } }), context, said);
      expect(problem?.reason).toBe('EngineFailed');
      expect(problem?.likely).toBe(likely);
    }
    // What a rule recognises in its log is known.
    const { problem } = diagnoseReplica(replicaPod({ lastState: { terminated } }), context, cause);
    expect(problem).toEqual(cause);
  });

  test('yields to the kernel, which killed the engine for its memory', () => {
    const pod = replicaPod({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } });
    expect(diagnoseReplica(pod, context, cause).problem?.reason).toBe('OutOfMemory');
  });

  test.each([
    ['what a rule recognises explains why it was late', cause, 'GPUOutOfMemory'],
    ['last words that no rule knows follow from the signal', { ...cause, reason: 'EngineFailed' }, 'StartupTimeout'],
  ] as const)('of one that the startup probe ended: %s', (_sentence, said, reason) => {
    const pod = replicaPod({ restartCount: 1, lastState: { terminated: late } });
    expect(diagnoseReplica(pod, context, said).problem?.reason).toBe(reason);
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
    ['never started', replicaPod({ state: { terminated: { ...end, reason: 'StartError' } } })],
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
