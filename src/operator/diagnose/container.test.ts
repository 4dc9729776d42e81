import { expect, test } from '@jest/globals';
import type { ContainerState } from '../../api/kubernetes.ts';
import { configuration } from './container.ts';
import type { ReplicaContext } from './context.ts';

const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  tokenSecret: { name: 'hf-token', key: 'token' },
  startupTimeoutSeconds: 600,
};

function told(state: ContainerState, lastState: ContainerState = {}): { reason: string; message: string } | undefined {
  return configuration({ name: 'download', ready: false, restartCount: 0, state, lastState }, context)?.problem;
}

function config(message: string): ContainerState {
  return { waiting: { reason: 'CreateContainerConfigError', message } };
}

test.each([
  [
    'the token Secret is missing',
    'secret "hf-token" not found',
    'TokenMissing',
    'Namespace team-a has no Secret hf-token with key token. Create it: kubectl -n team-a create secret generic hf-token --from-file=token=FILE',
  ],
  [
    'the Secret is there without the key',
    "couldn't find key token in Secret team-a/hf-token",
    'TokenMissing',
    'Secret hf-token in namespace team-a has no key token. Add it, or name the key that has the token in spec.model.tokenSecretRef.key: kubectl -n team-a describe secret hf-token',
  ],
  [
    'a Secret that the kubelet did not get in time is not said to be missing',
    'failed to sync secret cache: timed out waiting for the condition',
    'ContainerConfigInvalid',
    'Kubernetes cannot start container download: failed to sync secret cache: timed out waiting for the condition. Check image, resources and runtimeClassName of profile gpu.a100.',
  ],
])('%s', (_sentence, message, reason, expected) => {
  expect(told(config(message))).toMatchObject({ reason, message: expected });
});

test('a program that is not in the image is told alike in every state that Kubernetes shows', () => {
  const message =
    'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "vllm": executable file not found in $PATH: unknown';
  const ended = { terminated: { exitCode: 128, reason: 'StartError', message } };
  const states = [
    told(ended),
    told({ waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } }, ended),
    told({ waiting: { reason: 'RunContainerError', message } }, ended),
    told({ waiting: { reason: 'RunContainerError', message } }),
  ];
  expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(1);
  expect(states[0]?.message).toContain('exec: "vllm": executable file not found in $PATH. Its image');
});

test('a container that runs, crashed or waits to be made is none', () => {
  expect(told({ running: {} }, { terminated: { exitCode: 128, reason: 'StartError' } })).toBeUndefined();
  expect(told({ terminated: { exitCode: 1, reason: 'Error' } })).toBeUndefined();
  expect(told({ waiting: { reason: 'PodInitializing' } })).toBeUndefined();
});
