/**
 * A Kubernetes cluster for the demo and the tests. In this order: the user's own where CLUSTER=current, kind where
 * Docker and kind are usable, otherwise a cluster of our own processes on this machine.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Cluster, ClusterOptions } from './cluster-types.ts';
import {
  findKindCluster,
  kindClusterDown,
  kindClusterUp,
  kindIsUsable,
  listNodes,
  loadKindImages,
} from './kind-cluster.ts';
import { findKubectl } from './kubectl.ts';
import { findLocalCluster, loadLocalImages, localClusterDown, localClusterUp } from './local-cluster.ts';
import { readState } from './state.ts';
import { UserError } from './user-error.ts';

export type { Cluster, ClusterNode, ClusterOptions } from './cluster-types.ts';

/** The cluster that commands mean when NAME is not given. */
export const DEFAULT_CLUSTER_NAME = 'infer';

function ignore(): void {}

/** Returns true where the user's own cluster is meant (CLUSTER=current). Throws a UserError for any other value. */
export function wantsCurrent(): boolean {
  const wanted = process.env['CLUSTER'] ?? '';
  if (wanted !== '' && wanted !== 'current') {
    throw new UserError(
      `CLUSTER=${wanted} is unknown: use CLUSTER=current for the cluster of KUBECONFIG, or leave it out.`,
    );
  }
  return wanted === 'current';
}

async function currentCluster(progress: (line: string) => void): Promise<Cluster> {
  const kubeconfig = process.env['KUBECONFIG'] ?? join(homedir(), '.kube', 'config');
  const access = { kubectl: await findKubectl(progress), kubeconfig };
  const nodes = await listNodes(access).catch((error: unknown) => {
    throw new UserError(`CLUSTER=current: the cluster of ${kubeconfig} does not answer (${String(error)}).`);
  });
  return { kind: 'current', name: 'current', ...access, nodes };
}

/**
 * Returns a cluster whose nodes are ready, bringing it up or repairing it first; the user's own is left as it is.
 * Throws a UserError that says what to do where the machine cannot have one.
 */
export async function clusterUp(options: ClusterOptions = {}): Promise<Cluster> {
  const progress = options.progress ?? ignore;
  if (wantsCurrent()) return await currentCluster(progress);
  const { name = DEFAULT_CLUSTER_NAME, nodes = 1, gpus = 8 } = options;
  const request = { name, nodes, gpus, progress };
  // A local one that is there goes on being it, also after kind was installed.
  const local = (await readState(name)) !== undefined || !(await kindIsUsable());
  return local ? await localClusterUp(request) : await kindClusterUp(request);
}

/** Removes the cluster and everything in it; nothing to remove is fine, and the user's own is never touched. */
export async function clusterDown(
  name = DEFAULT_CLUSTER_NAME,
  progress: (line: string) => void = ignore,
): Promise<void> {
  if (wantsCurrent()) return;
  const kind = await kindIsUsable();
  if (kind) await kindClusterDown(name);
  if (!kind || (await readState(name)) !== undefined) await localClusterDown(name, progress);
}

/** Returns the cluster if it was brought up and not removed; it may be broken. */
export async function findCluster(name = DEFAULT_CLUSTER_NAME): Promise<Cluster | undefined> {
  if (wantsCurrent()) return await currentCluster(ignore);
  return (await findLocalCluster(name)) ?? ((await kindIsUsable()) ? await findKindCluster(name) : undefined);
}

/**
 * Gives every node the images of docker-archives, except those that it has with the same content.
 * Throws a UserError for the user's own cluster, whose nodes cannot be reached.
 */
export async function loadImages(
  cluster: Cluster,
  archives: string[],
  progress: (line: string) => void = ignore,
): Promise<void> {
  switch (cluster.kind) {
    case 'local':
      return await loadLocalImages(cluster.name, archives, progress);
    case 'kind':
      return await loadKindImages(cluster.name, archives);
    case 'current':
      throw new UserError('CLUSTER=current: images cannot be put onto the nodes of your cluster from here.');
  }
}
