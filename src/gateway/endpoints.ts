/** Pure: EndpointSlices → where the replicas of a deployment are. */
import type { Endpoint, EndpointSlice } from '../api/kubernetes.ts';
import { compareResourceVersions } from '../kube/types.ts';

/** The name of the engine's port in the Service of a deployment. */
const PORT_NAME = 'http';

export interface ReplicaAddress {
  /** `http://IP:PORT`; several where a pod has addresses of both families, the newest last. */
  origins: string[];
  /** Kubernetes says that it is ready and not terminating. */
  serving: boolean;
}

/**
 * Returns the pods in the slices of one Service, by UID. While Kubernetes moves an endpoint from slice to slice it is in
 * both for a moment: the state in the newest slice holds. Endpoints that are no pod's, have no port of the engine or
 * are a name instead of an address are left out.
 */
export function replicaAddresses(slices: readonly EndpointSlice[]): Map<string, ReplicaAddress> {
  const found = new Map<string, ReplicaAddress>();
  const oldestFirst = slices.toSorted(
    (a, b) => compareResourceVersions(a.metadata.resourceVersion, b.metadata.resourceVersion) ?? 0,
  );
  for (const slice of oldestFirst) {
    const port = slice.ports?.find(({ name }) => name === PORT_NAME)?.port;
    if (port === undefined || port === null) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const podUid = endpoint.targetRef?.kind === 'Pod' ? endpoint.targetRef.uid : '';
      const host = hostOf(slice.addressType, endpoint);
      if (!podUid || host === undefined) continue;
      const known = found.get(podUid)?.origins ?? [];
      found.set(podUid, { origins: [...known, `http://${host}:${port}`], serving: isServing(endpoint) });
    }
  }
  return found;
}

/** Addresses of one endpoint are interchangeable; Kubernetes itself writes one only. */
function hostOf(addressType: string, { addresses: [address] }: Endpoint): string | undefined {
  if (address === undefined || NO_POD.test(address)) return undefined;
  if (addressType === 'IPv4') return address;
  return addressType === 'IPv6' ? `[${address}]` : undefined;
}

/**
 * This host, the link and nowhere: no pod has such an address, but whoever may write EndpointSlices could name the
 * gateway's own ports or a cloud's metadata service.
 */
const NO_POD = /^(127\.|0\.|169\.254\.|::1$|::$|fe[89ab][0-9a-f]:|::ffff:)/i;

function isServing({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false && conditions?.terminating !== true;
}
