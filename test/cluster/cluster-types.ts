/** A node of a cluster. */
export interface ClusterNode {
  name: string;
  /** Its InternalIP; reachable from this machine on a local cluster. */
  ip: string;
}

/** A running cluster, whatever provides it. */
export interface Cluster {
  /** `local`: our own processes; `kind`: containers of Docker; `current`: the user's, which nothing here changes. */
  kind: 'local' | 'kind' | 'current';
  name: string;
  /** Path of a kubeconfig with the rights of an administrator. */
  kubeconfig: string;
  /** Path of kubectl. */
  kubectl: string;
  nodes: ClusterNode[];
}

/** What to bring up. */
export interface ClusterOptions {
  /** Default `infer`. */
  name?: string;
  /** Default 1; at least as many as the cluster already has. */
  nodes?: number;
  /** Simulated GPUs of each node, default 8. */
  gpus?: number;
  /** Called with each step that takes a while. */
  progress?: (line: string) => void;
}

/** ClusterOptions with the defaults filled in. */
export type ClusterRequest = Required<ClusterOptions>;
