/** EndpointSlices written by hand, where no kubelet runs: engines of the test's own stand in for pods. */
import { networkInterfaces } from 'node:os';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { EndpointSlice } from '../../src/api/kubernetes.ts';
import { DEPLOYMENT_LABEL, DEPLOYMENT_UID_LABEL, SERVICE_NAME_LABEL } from '../../src/api/labels.ts';
import { endpointSlices } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { childName } from '../../src/operator/resources/names.ts';

/**
 * Returns an address of this machine by which its own processes reach each other. Kubernetes takes no loopback address
 * as an endpoint. Throws an Error on a machine that has no other.
 */
export function ownAddress(): string {
  const address = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  if (address === undefined) {
    throw new Error('This test needs an IPv4 address that is no loopback; add one: ip address add 192.0.2.1/32 dev lo');
  }
  return address;
}

/** One replica; ready and not terminating unless it says otherwise. */
export interface TestReplica {
  podUid: string;
  port: number;
  ready?: boolean;
  terminating?: boolean;
}

/** Writes these replicas as all that the Service of `deployment` has: one slice for each, as for named ports. */
export async function writeEndpoints(
  client: KubeClient,
  deployment: InferenceDeployment,
  replicas: TestReplica[],
): Promise<void> {
  const { name, namespace = '', uid = '' } = deployment.metadata;
  const nameOf = (podUid: string): string => `${childName(name)}-${podUid}`;
  for (const { podUid, port, ready = true, terminating = false } of replicas) {
    const slice: EndpointSlice = {
      metadata: {
        name: nameOf(podUid),
        namespace,
        labels: { [DEPLOYMENT_LABEL]: name, [DEPLOYMENT_UID_LABEL]: uid, [SERVICE_NAME_LABEL]: childName(name) },
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port }],
      endpoints: [
        { addresses: [ownAddress()], conditions: { ready, terminating }, targetRef: { kind: 'Pod', uid: podUid } },
      ],
    };
    await client.apply(endpointSlices, slice, { fieldManager: 'test', force: true });
  }
  const labelSelector = `${DEPLOYMENT_UID_LABEL}=${uid}`;
  const { items } = await client.list(endpointSlices, { namespace, labelSelector });
  const wanted = new Set(replicas.map(({ podUid }) => nameOf(podUid)));
  for (const { metadata } of items) if (!wanted.has(metadata.name)) await client.delete(endpointSlices, metadata);
}
