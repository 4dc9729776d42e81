/** Pods of Infer's processes as the API server knows them, where no kubelet runs: the test starts the processes itself. */
import { GATEWAY_POD_LABELS } from '../../src/api/labels.ts';
import { pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import { eventually } from './eventually.ts';
import { servingStatus } from './fake-kubelet.ts';
import { GatewayProcess } from './gateway-process.ts';
import { serviceAccounts } from './kube.ts';
import { INSTALL } from './resources.ts';

const { namespace } = INSTALL;
/** Keeps a deleted pod as one that terminates. */
const FINALIZER = 'infer.dev/test';

/** Makes the ServiceAccounts of the processes. */
export async function createAccounts(client: KubeClient): Promise<void> {
  for (const name of ['infer-operator', 'infer-gateway', 'infer-batch']) {
    await client.create(serviceAccounts, { metadata: { name, namespace } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
}

/** Makes a pod that is ready at `ip`; returns the environment that the downward API would give its process. */
export async function createGatewayPod(client: KubeClient, name: string, ip: string): Promise<Record<string, string>> {
  return await createPod(client, { name, ip, account: 'infer-gateway', labels: GATEWAY_POD_LABELS });
}

/** Makes a pod of the batch process, as createGatewayPod() does one of a gateway. */
export async function createBatchPod(client: KubeClient, name: string, ip: string): Promise<Record<string, string>> {
  return await createPod(client, { name, ip, account: 'infer-batch', labels: {} });
}

async function createPod(
  client: KubeClient,
  { name, ip, account, labels }: { name: string; ip: string; account: string; labels: Record<string, string> },
): Promise<Record<string, string>> {
  const metadata = { name, namespace, labels, finalizers: [FINALIZER] };
  const spec = { serviceAccountName: account, containers: [{ name: 'process', image: 'infer:dev' }] };
  const pod = await client.create(pods, { metadata, spec });
  const status = { ...servingStatus(), podIP: ip, podIPs: [{ ip }] };
  await client.patch(pods, pod.metadata, { status }, { type: 'merge', subresource: 'status' });
  return {
    INFER_NAMESPACE: namespace,
    INFER_SERVICE_ACCOUNT: account,
    INFER_POD_NAME: name,
    INFER_POD_UID: pod.metadata.uid ?? '',
    INFER_POD_IP: ip,
  };
}

/** A gateway as it runs in a cluster: a pod that is known, and its process. */
export interface GatewayInPod {
  name: string;
  process: GatewayProcess;
  /** Of its API. */
  url: string;
}

/** Makes a pod and starts its process, with what differs in its environment; returns once it serves. */
export async function startGatewayInPod(
  client: KubeClient,
  options: { kubeconfig: string; name: string; ip: string; environment: Record<string, string> },
): Promise<GatewayInPod> {
  const { kubeconfig, name, ip, environment } = options;
  const identity = await createGatewayPod(client, name, ip);
  const process = GatewayProcess.start(kubeconfig, { ...identity, ...environment });
  return { name, process, url: await process.serving() };
}

/** Waits until each of the gateways lists the model to the key. */
export async function isServed(
  gateways: readonly Pick<GatewayInPod, 'url'>[],
  key: string,
  model: string,
): Promise<void> {
  for (const { url } of gateways) {
    await eventually(async () => {
      const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
      const { data } = (await response.json()) as { data: { id: string }[] };
      if (!data.some(({ id }) => id === model)) throw new Error(`${url} does not list ${model}`);
    }, 30_000);
  }
}

/** Has the pod terminate, without end. */
export async function terminate(client: KubeClient, name: string): Promise<void> {
  await client.delete(pods, { namespace, name });
}

/** Removes the pod. */
export async function removePod(client: KubeClient, name: string): Promise<void> {
  const pod = await client.get(pods, { namespace, name });
  if (pod === undefined) return;
  await client.patch(pods, pod.metadata, { metadata: { finalizers: null } }, { type: 'merge' });
  await client.delete(pods, pod.metadata);
}
