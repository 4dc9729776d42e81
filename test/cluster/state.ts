/** What is known of a local cluster between commands: one small file, and the paths of all others. */
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_CLUSTERS, clusterAddresses, freeIndex, nodeAddresses } from './addresses.ts';
import type { ClusterAddresses, NodeAddresses } from './addresses.ts';
import { run } from './command.ts';
import { withLock } from './lock.ts';
import { stateRoot } from './paths.ts';
import { UserError } from './user-error.ts';

/** The contents of cluster.json. */
export interface ClusterState {
  name: string;
  index: number;
  nodes: number;
  /** Simulated GPUs per node. */
  gpus: number;
}

/** A node of a local cluster: its place in the network and its files. */
export interface LocalNode extends NodeAddresses {
  name: string;
  /** Everything the node keeps. */
  directory: string;
  /** The files that keep its namespaces; in a mount of their own. */
  namespaceDirectory: string;
  networkNamespace: string;
  mountNamespace: string;
  /** What the node sees as /run/containerd; here is containerd's socket. */
  runDirectory: string;
  /** What the node sees as /var/lib/kubelet. */
  kubeletDirectory: string;
  /** Relative to every cgroup hierarchy; pods are below it. */
  cgroup: string;
}

/** The paths and addresses of a local cluster. */
export interface LocalLayout extends ClusterState {
  addresses: ClusterAddresses;
  directory: string;
  keyDirectory: string;
  logDirectory: string;
  runDirectory: string;
  kubeconfig: string;
  apiServerUrl: string;
  /** Relative to every cgroup hierarchy; each process of the cluster is below it. */
  cgroup: string;
  localNodes: LocalNode[];
}

/** The folder of the cluster called `name`. */
export function clusterDirectory(name: string): string {
  return join(stateRoot(), name);
}

/** Throws a UserError unless `name` can be part of node names, paths and cgroups. */
export function assertClusterName(name: string): void {
  if (!/^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$/.test(name)) {
    throw new UserError(
      `NAME=${name} cannot name a cluster: use 1 to 20 lower-case letters, digits and dashes, beginning with a letter.`,
    );
  }
}

/** Returns the paths and addresses that follow from the state. Pure but for the state root in the environment. */
export function layoutOf(state: ClusterState): LocalLayout {
  const directory = clusterDirectory(state.name);
  const addresses = clusterAddresses(state.index);
  const cgroup = clusterCgroup(state.name);
  const localNodes = Array.from({ length: state.nodes }, (_, offset): LocalNode => {
    const ordinal = offset + 1;
    const nodeDirectory = join(directory, `node-${ordinal}`);
    const namespaceDirectory = join(nodeDirectory, 'namespaces');
    return {
      ...nodeAddresses(state.index, ordinal),
      name: `${state.name}-node-${ordinal}`,
      directory: nodeDirectory,
      namespaceDirectory,
      networkNamespace: join(namespaceDirectory, 'network'),
      mountNamespace: join(namespaceDirectory, 'mount'),
      runDirectory: join(nodeDirectory, 'run'),
      kubeletDirectory: join(nodeDirectory, 'kubelet'),
      cgroup: `${cgroup}/node-${ordinal}`,
    };
  });
  return {
    ...state,
    addresses,
    directory,
    keyDirectory: join(directory, 'keys'),
    logDirectory: join(directory, 'logs'),
    runDirectory: join(directory, 'run'),
    kubeconfig: join(directory, 'kubeconfig'),
    apiServerUrl: `https://${addresses.host}:6443`,
    cgroup,
    localNodes,
  };
}

/** The cgroup of all clusters of this machine. */
export const CGROUP_ROOT = 'infer';

/** The cgroup below which every process of the cluster runs, relative to each hierarchy. */
export function clusterCgroup(name: string): string {
  return `${CGROUP_ROOT}/${name}`;
}

/** Returns the state of the cluster, or undefined where there is none. */
export async function readState(name: string): Promise<ClusterState | undefined> {
  try {
    return JSON.parse(await readFile(join(clusterDirectory(name), 'cluster.json'), 'utf8')) as ClusterState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the state so that a reader never sees half of it. */
export async function writeState(state: ClusterState): Promise<void> {
  const file = join(clusterDirectory(state.name), 'cluster.json');
  await mkdir(clusterDirectory(state.name), { recursive: true });
  await writeFile(`${file}.unfinished`, JSON.stringify(state));
  await rename(`${file}.unfinished`, file);
}

/** Returns the states of all clusters below the state root. */
export async function readAllStates(): Promise<ClusterState[]> {
  const names = await readdir(stateRoot()).catch(() => []);
  const states = await Promise.all(names.map(async (name) => await readState(name).catch(() => undefined)));
  return states.filter((state) => state !== undefined);
}

/** Runs `body` while no other command works on the cluster called `name`. */
export async function withClusterLock<T>(
  name: string,
  progress: (line: string) => void,
  body: () => Promise<T>,
): Promise<T> {
  const waiting = (): void => progress(`waiting for another command that works on the cluster ${name}`);
  return await withLock(`/run/lock/infer-cluster-${name}.lock`, waiting, body);
}

/** Runs `body` while no cluster is added to or removed from this machine. */
export async function withAddressLock<T>(body: () => Promise<T>): Promise<T> {
  return await withLock('/run/lock/infer-addresses.lock', () => undefined, body);
}

/**
 * Returns the state of an existing cluster, or that of a new one with addresses that nobody uses, written before
 * anything else is made so that `down` finds whatever follows. Throws a UserError when no addresses are left.
 */
export async function ensureState(wanted: Omit<ClusterState, 'index'>): Promise<ClusterState> {
  return await withAddressLock(async () => {
    const existing = await readState(wanted.name);
    if (existing !== undefined) {
      const state = { ...existing, ...wanted, nodes: Math.max(existing.nodes, wanted.nodes) };
      await writeState(state);
      return state;
    }
    const taken = (await readAllStates()).map((state) => state.index);
    const index = freeIndex(taken, await run('ip', ['route']), await run('ip', ['-brief', 'link']));
    if (index === undefined) {
      throw new UserError(
        `All ${MAX_CLUSTERS} address ranges (in 10.250.0.0/16, 10.251.0.0/16 and 10.252.0.0/16) are in use: remove a cluster with \`make cluster-down NAME=...\`.`,
      );
    }
    const state = { ...wanted, index };
    await writeState(state);
    return state;
  });
}
