/** What a test of the operator process stands on: a namespace of its own, a stand-in kubelet, and the shipped rights. */
import type { KubeClient } from '../../src/kube/client.ts';
import { startFaultProxy, type FaultProxy, type RecordedRequest } from '../faults/proxy.ts';
import { FakeKubelet, servingStatus } from './fake-kubelet.ts';
import { clientOf, createNamespace, sharedKubeconfig } from './kube.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installApi, OPERATOR_ACCOUNT } from './product.ts';
import { INSTALL } from './resources.ts';

export interface OperatorBed {
  /** With all rights, past the proxy. */
  client: KubeClient;
  namespace: string;
  /** For the operator, which has the rights of its ServiceAccount there. */
  proxy: FaultProxy;
  kubelet: FakeKubelet;
}

/**
 * Returns the bed on the tier's control plane, in a namespace that begins with `prefix`; the operator is still to be
 * started. `kubeletOf` is the namespace whose pods the kubelet looks after: its own, or `all`.
 */
export async function startOperatorBed(prefix: string, kubeletOf: 'own' | 'all' = 'own'): Promise<OperatorBed> {
  const kubeconfig = sharedKubeconfig();
  const client = clientOf(kubeconfig);
  await installApi(client, kubeconfig, process.env['INFER_TEST_KUBECTL'] ?? '');
  const namespace = await createNamespace(client, prefix);
  const proxy = await startFaultProxy({ upstream: kubeconfig, impersonate: OPERATOR_ACCOUNT });
  const kubelet = new FakeKubelet(client, servingStatus, kubeletOf === 'own' ? namespace : undefined);
  return { client, namespace, proxy, kubelet };
}

/**
 * Returns what the process behind `proxy` was denied in `namespace`, in Infer's own, and outside of namespaces. Those of other
 * tests are on their way out, in which nothing can be made.
 */
export function denied(proxy: FaultProxy, namespace: string): Pick<RecordedRequest, 'verb' | 'resource' | 'name'>[] {
  return proxy
    .refused()
    .filter((sent) => ['', namespace, INSTALL.namespace].includes(sent.namespace))
    .map(({ verb, resource, name }) => ({ verb, resource, name }));
}

/** Ends the operator and then what it stood on. */
export async function stopOperatorBed(
  operator: OperatorProcess,
  { client, kubelet, proxy }: Omit<OperatorBed, 'namespace'>,
): Promise<void> {
  await operator.end();
  await kubelet.stop();
  await proxy.stop();
  await client.close();
}
