/** A cluster in Docker by kind (https://kind.sigs.k8s.io), where both are installed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KUBERNETES_VERSION } from './binaries.ts';
import type { Cluster, ClusterNode, ClusterRequest } from './cluster-types.ts';
import { run, tryRun } from './command.ts';
import { findKubectl, kubectl, simulateGpus } from './kubectl.ts';
import type { Access } from './kubectl.ts';
import { cacheDirectory } from './paths.ts';
import { UserError } from './user-error.ts';

/** Returns true where Docker answers and kind is installed. */
export async function kindIsUsable(): Promise<boolean> {
  for (const command of [
    ['docker', 'info'],
    ['kind', 'version'],
  ] as const) {
    const { code } = await tryRun(command[0], [command[1]], { timeoutMs: 10_000 }).catch(() => ({ code: -1 }));
    if (code !== 0) return false;
  }
  return true;
}

function kubeconfigPath(name: string): string {
  return join(cacheDirectory(), 'kind', `${name}.kubeconfig`);
}

/** What kind calls the cluster: never like one that somebody made for something else. */
function kindName(name: string): string {
  return `infer-${name}`;
}

async function kindExists(name: string): Promise<boolean> {
  return (await run('kind', ['get', 'clusters'])).split('\n').includes(kindName(name));
}

/** kind can neither add nodes nor take them away. Throws a UserError where there are too few. */
function checkNodes({ name, nodes, progress }: ClusterRequest, found: number): void {
  if (found < nodes) {
    throw new UserError(
      `The kind cluster ${kindName(name)} has ${found} of ${nodes} nodes, and kind cannot add any: remove it first with \`make cluster-down NAME=${name}\`.`,
    );
  }
  if (found > nodes) progress(`the kind cluster ${kindName(name)} keeps its ${found} nodes`);
}

/** Returns the nodes as the API server knows them. */
export async function listNodes(access: Access): Promise<ClusterNode[]> {
  interface Node {
    metadata: { name: string };
    status: { addresses: { type: string; address: string }[] };
  }
  const { items } = JSON.parse(await kubectl(access, ['get', 'nodes', '-o', 'json'])) as { items: Node[] };
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    ip: status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
  }));
}

/**
 * Brings the cluster up unless it is, and returns it when its nodes are ready. Throws a UserError where one that is up
 * has too few.
 */
export async function kindClusterUp(request: ClusterRequest): Promise<Cluster> {
  const { name, nodes, gpus, progress } = request;
  const access = { kubectl: await findKubectl(progress), kubeconfig: kubeconfigPath(name) };
  await mkdir(join(access.kubeconfig, '..'), { recursive: true });
  if (await kindExists(name)) {
    await run('kind', ['export', 'kubeconfig', '--name', kindName(name), '--kubeconfig', access.kubeconfig]);
  } else {
    progress(`creating the kind cluster ${kindName(name)}`);
    const image = `kindest/node:${KUBERNETES_VERSION}`;
    const roles = ['control-plane', ...Array.from({ length: nodes - 1 }, () => 'worker')];
    const configuration = {
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      nodes: roles.map((role) => ({ role, image })),
    };
    const args = ['create', 'cluster', '--name', kindName(name), '--kubeconfig', access.kubeconfig, '--config', '-'];
    await run('kind', args, { input: JSON.stringify(configuration) });
  }
  await kubectl(access, ['wait', 'node', '--all', '--for=condition=Ready', '--timeout=110s']);
  const found = await listNodes(access);
  checkNodes(request, found.length);
  for (const node of found) await simulateGpus(access, node.name, gpus);
  return { kind: 'kind', name, ...access, nodes: found };
}

/** Removes the cluster if there is one. */
export async function kindClusterDown(name: string): Promise<void> {
  await run('kind', ['delete', 'cluster', '--name', kindName(name), '--kubeconfig', kubeconfigPath(name)]);
}

/** Returns the cluster if it exists. */
export async function findKindCluster(name: string): Promise<Cluster | undefined> {
  if (!(await kindExists(name))) return undefined;
  const access = { kubectl: await findKubectl(() => undefined), kubeconfig: kubeconfigPath(name) };
  return { kind: 'kind', name, ...access, nodes: await listNodes(access) };
}

/** Gives every node the images of docker-archives; kind skips those that a node has. */
export async function loadKindImages(name: string, archives: string[]): Promise<void> {
  for (const archive of archives) await run('kind', ['load', 'image-archive', archive, '--name', kindName(name)]);
}
