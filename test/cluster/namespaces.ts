/**
 * Each node has a network namespace and a mount namespace. In the latter the paths that kubelet, containerd and the
 * CNI plugins have built in are folders of the node: two nodes do not share them, and every mount that a node makes
 * ends with its last process instead of staying on the host. Files in a folder of the node keep both alive.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { readMounts, unmountBelow } from './mounts.ts';
import type { LocalNode } from './state.ts';

/** Paths on the host and where below its folder a node keeps what it sees there. */
const PRIVATE_PATHS: [hostPath: string, nodePath: string][] = [
  ['/run/containerd', 'run'],
  ['/var/lib/kubelet', 'kubelet'],
  ['/var/lib/cni', 'cni-state'],
  ['/var/log/containers', 'container-logs'],
  ['/var/log/pods', 'pod-logs'],
];

const BOUND = { endWithParent: true };

/** Returns true when both namespaces of the node are complete. */
export async function hasNamespaces(node: LocalNode): Promise<boolean> {
  const kept = (await readMounts()).filter(({ type }) => type === 'nsfs').map(({ path }) => path);
  return kept.includes(node.networkNamespace) && kept.includes(node.mountNamespace);
}

// Waits after the mounts until a file keeps the namespace that this shell is in.
const MOUNT_PAIRS = 'while [ $# -gt 0 ]; do mount --bind "$2" "$1" || exit 1; shift 2; done; echo ready; read -r line';

/** Makes both namespaces anew. No process of the node may run. */
export async function createNamespaces(node: LocalNode): Promise<void> {
  const { namespaceDirectory } = node;
  await unmountBelow(namespaceDirectory);
  // Nothing in it means anything to a containerd that starts without any container.
  await rm(node.runDirectory, { recursive: true, force: true });
  const pairs = PRIVATE_PATHS.map(([hostPath, nodePath]) => [hostPath, join(node.directory, nodePath)]).flat();
  for (const path of [namespaceDirectory, ...pairs]) await mkdir(path, { recursive: true });
  // The kernel keeps a mount namespace only by a file in a mount that propagates nowhere.
  await run('mount', ['--bind', namespaceDirectory, namespaceDirectory], BOUND);
  await run('mount', ['--make-private', namespaceDirectory], BOUND);
  await writeFile(node.networkNamespace, '');
  await writeFile(node.mountNamespace, '');
  await run('unshare', [`--net=${node.networkNamespace}`, 'true'], BOUND);

  const args = ['--mount', '--propagation', 'slave', 'sh', '-c', MOUNT_PAIRS, 'sh', ...pairs];
  const inside = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(inside, 'close');
  const ready = await Promise.race([once(inside.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!ready) throw new Error(`cannot make the mount namespace of ${node.name}: a mount in it failed`);
  await run('mount', ['--bind', `/proc/${inside.pid}/ns/mnt`, node.mountNamespace], BOUND);
  inside.stdin.end();
  await ended;
}

/**
 * Removes the empty folders on the host on which the nodes' own are mounted. Only for a machine without any cluster:
 * the kernel ends the mounts of other namespaces on a folder that is removed.
 */
export async function removeMountPoints(): Promise<void> {
  // One that the machine uses itself is not empty and stays.
  for (const [hostPath] of PRIVATE_PATHS) await rmdir(hostPath).catch(() => undefined);
}
