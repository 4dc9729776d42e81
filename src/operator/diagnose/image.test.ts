import { expect, test } from '@jest/globals';
import type { ReplicaContext } from './context.ts';
import { imagePull } from './image.ts';

const IMAGE = 'registry.example/vllm:v1';
const context: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  startupTimeoutSeconds: 600,
};

function told(reason: string, message: string, with_: Partial<ReplicaContext> = {}): string | undefined {
  const state = { waiting: { reason, message } };
  const container = { name: 'engine', image: IMAGE, ready: false, restartCount: 0, state };
  return imagePull(container, { ...context, ...with_ })?.problem?.message;
}

const pulling = `failed to pull and unpack image "${IMAGE}": failed to resolve reference "${IMAGE}": `;
const CANNOT = `The node cannot pull image ${IMAGE} of container engine`;
const rows: [sentence: string, message: string, expected: string][] = [
  [
    'no such tag',
    `rpc error: code = NotFound desc = ${pulling}${IMAGE}: not found`,
    `${CANNOT}: ${IMAGE}: not found. Check the name and tag of the image in profile gpu.a100.`,
  ],
  [
    'no such tag, in the words of CRI-O',
    `initializing source docker://${IMAGE}: reading manifest v1 in registry.example/vllm: manifest unknown`,
    `${CANNOT}: manifest unknown. Check the name and tag of the image in profile gpu.a100.`,
  ],
  [
    'a registry that wants credentials',
    `${pulling}failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized`,
    `${CANNOT}: failed to fetch anonymous token: unexpected status: 401 Unauthorized. The registry needs credentials, or there is no such image: name a Secret in imagePullSecrets of profile gpu.a100, or check the name.`,
  ],
  [
    'Docker Hub, which does not say which of both',
    `${pulling}pull access denied, repository does not exist or may require authorization`,
    `${CANNOT}: pull access denied, repository does not exist or may require authorization. The registry needs credentials, or there is no such image`,
  ],
  [
    'a registry that does not answer',
    `${pulling}failed to do request: Head "https://registry.example/v2/vllm/manifests/v1": dial tcp: lookup registry.example: no such host`,
    'no such host. Check that the node reaches the registry.',
  ],
  [
    'an image for other processors',
    `failed to pull and unpack image "${IMAGE}": no match for platform in manifest`,
    'no match for platform in manifest. Choose an image for the nodes of profile gpu.a100.',
  ],
];

test.each(rows)(
  '%s is told alike while it is pulled and while Kubernetes waits to pull again',
  (_, message, expected) => {
    const first = told('ErrImagePull', message);
    expect(first).toContain(expected);
    expect(told('ImagePullBackOff', `Back-off pulling image "${IMAGE}": ErrImagePull: ${message}`)).toBe(first);
  },
);

test('a pull Secret that does not work is named with the namespace', () => {
  const message = `${pulling}unexpected status from HEAD request: 403 Forbidden`;
  expect(told('ErrImagePull', message, { pullSecrets: ['registry'] })).toContain(
    "Check that namespace team-a has the Secret registry of the profile's imagePullSecrets, with credentials",
  );
});

test('a token in the address of a layer is not shown', () => {
  const message = 'failed to copy: Get "https://cdn.example/blob?X-Amz-Signature=0123456789abcdef&x=1": EOF';
  expect(told('ErrImagePull', message)).toContain('X-Amz-Signature=***&x=1');
});

test('where Kubernetes does not tell the cause both are named', () => {
  expect(told('ImagePullBackOff', `Back-off pulling image "${IMAGE}"`)).toBe(
    `${CANNOT}. Check the name and tag in the profile, and imagePullSecrets if the registry needs credentials.`,
  );
});

test('a container that waits for something else is none', () => {
  expect(told('ContainerCreating', '')).toBeUndefined();
});
