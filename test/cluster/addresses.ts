/**
 * The addresses and interface names of a cluster, all derived from its index, so that clusters never overlap. Pure.
 * 10.250.N.0/24 are the nodes of cluster N, 10.251.N.0/24 its Services, 10.252.(4N).0/22 its pods, a /24 per node.
 */

/** A node's pods have a /24 and a cluster's a /22. */
export const MAX_NODES = 4;
/** Four /24 for pods each, out of 256. */
export const MAX_CLUSTERS = 64;

/** What a cluster with this index uses on the machine. */
export interface ClusterAddresses {
  /** The bridge on the host that joins the nodes. */
  bridge: string;
  /** The host's address on the bridge; etcd and the API server listen there. */
  host: string;
  nodePrefixLength: number;
  serviceRange: string;
  /** The Service `kubernetes`. */
  firstService: string;
  /** The Service of CoreDNS. */
  dns: string;
  /** All pods of all nodes. */
  podRange: string;
}

/** What one node of a cluster uses. */
export interface NodeAddresses {
  /** The host's end of the pair whose other end is eth0 of the node. */
  hostInterface: string;
  address: string;
  podRange: string;
}

/** Returns the addresses of the cluster with `index`, 0 to MAX_CLUSTERS - 1. */
export function clusterAddresses(index: number): ClusterAddresses {
  return {
    bridge: `infer${index}`,
    host: `10.250.${index}.1`,
    nodePrefixLength: 24,
    serviceRange: `10.251.${index}.0/24`,
    firstService: `10.251.${index}.1`,
    dns: `10.251.${index}.10`,
    podRange: `10.252.${index * MAX_NODES}.0/22`,
  };
}

/** Returns the addresses of the `ordinal`-th node, 1 to MAX_NODES. */
export function nodeAddresses(index: number, ordinal: number): NodeAddresses {
  return {
    hostInterface: `infer${index}-${ordinal}`,
    address: `10.250.${index}.${10 + ordinal}`,
    podRange: `10.252.${index * MAX_NODES + ordinal - 1}.0/24`,
  };
}

/** Returns the beginnings of all addresses of a cluster: of its nodes, its Services and the pods of each node. */
export function networksOf(index: number): string[] {
  const pods = Array.from({ length: MAX_NODES }, (_, offset) => `10.252.${index * MAX_NODES + offset}.`);
  return [`10.250.${index}.`, `10.251.${index}.`, ...pods];
}

/**
 * Returns the smallest index that no cluster has and whose addresses and bridge this machine does not use.
 * `routes` is the text of `ip route`, `links` that of `ip -brief link`. Undefined when none is left.
 */
export function freeIndex(taken: number[], routes: string, links: string): number | undefined {
  for (let index = 0; index < MAX_CLUSTERS; index++) {
    const { bridge } = clusterAddresses(index);
    const routed = routes.split(/\s+/).some((word) => networksOf(index).some((network) => word.startsWith(network)));
    const linked = links.split('\n').some((line) => line.split(/\s+/)[0] === bridge);
    if (!taken.includes(index) && !routed && !linked) return index;
  }
  return undefined;
}
