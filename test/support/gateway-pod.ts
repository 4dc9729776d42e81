/** Pods of gateways as the API server knows them, where no kubelet runs: the test starts the processes itself. */
import { GATEWAY_POD_LABELS } from '../../src/api/labels.ts';
import { pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/kube/types.ts';
import { servingStatus } from './fake-kubelet.ts';
import { INSTALL } from './resources.ts';

const { namespace } = INSTALL;
/** Keeps a deleted pod as one that terminates. */
const FINALIZER = 'infer.dev/test';

const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

/** Makes the ServiceAccounts of operator and gateways. */
export async function createAccounts(client: KubeClient): Promise<void> {
  for (const name of ['infer-operator', 'infer-gateway']) {
    await client.create(serviceAccounts, { metadata: { name, namespace } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
}

/** Makes a pod that is ready at `ip`; returns the environment that the downward API would give its process. */
export async function createGatewayPod(client: KubeClient, name: string, ip: string): Promise<Record<string, string>> {
  const metadata = { name, namespace, labels: GATEWAY_POD_LABELS, finalizers: [FINALIZER] };
  const spec = { serviceAccountName: 'infer-gateway', containers: [{ name: 'gateway', image: 'infer:dev' }] };
  const pod = await client.create(pods, { metadata, spec });
  const status = { ...servingStatus(), podIP: ip, podIPs: [{ ip }] };
  await client.patch(pods, pod.metadata, { status }, { type: 'merge', subresource: 'status' });
  return {
    INFER_NAMESPACE: namespace,
    INFER_SERVICE_ACCOUNT: 'infer-gateway',
    INFER_POD_NAME: name,
    INFER_POD_UID: pod.metadata.uid ?? '',
    INFER_POD_IP: ip,
  };
}

/** Has the pod terminate, without end. */
export async function terminate(client: KubeClient, name: string): Promise<void> {
  await client.delete(pods, { namespace, name });
}

/** Removes the pod. */
export async function removeGatewayPod(client: KubeClient, name: string): Promise<void> {
  const pod = await client.get(pods, { namespace, name });
  if (pod === undefined) return;
  await client.patch(pods, pod.metadata, { metadata: { finalizers: null } }, { type: 'merge' });
  await client.delete(pods, pod.metadata);
}
