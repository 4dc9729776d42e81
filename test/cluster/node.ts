/** One node of a local cluster: containerd, kubelet and kube-proxy in its namespaces. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureContainerCgroup, killBelow } from './cgroups.ts';
import { ensureCertificate } from './certificates.ts';
import { findCommand, tryRun } from './command.ts';
import { assertRunning, daemonCgroup, ensureDaemon } from './daemons.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createNamespaces, hasNamespaces } from './namespaces.ts';
import { disconnectNode, ensureNodeNetwork } from './network.ts';
import {
  cniConfiguration,
  containerdConfiguration,
  kubeProxyArguments,
  kubeletConfiguration,
} from './node-configuration.ts';
import type { ControlPlaneKeys } from './pki.ts';
import type { LocalLayout, LocalNode } from './state.ts';
import { waitFor } from './wait.ts';

/** The programs of a node; `daemonName` gives the name of the daemon. */
export type NodeProgram = 'containerd' | 'kubelet' | 'kube-proxy';

const NODE_PROGRAMS: NodeProgram[] = ['kubelet', 'kube-proxy', 'containerd'];

/** Returns the name under which the program of this node is kept by daemons.ts. */
export function daemonName(node: LocalNode, program: NodeProgram): string {
  return `${program}-${node.name}`;
}

/** Returns the path on the host of containerd's socket. */
export function containerdSocket(node: LocalNode): string {
  return join(node.runDirectory, 'containerd.sock');
}

/** Makes the node's namespaces, network and cgroup; what still runs in parts of former ones is killed first. */
export async function ensureNodeFrame(layout: LocalLayout, node: LocalNode): Promise<void> {
  if (!(await hasNamespaces(node))) {
    for (const program of NODE_PROGRAMS) await killBelow(daemonCgroup(layout, daemonName(node, program)));
    await killBelow(node.cgroup);
    await disconnectNode(node);
    await createNamespaces(node);
  }
  await ensureNodeNetwork(layout, node);
  await ensureContainerCgroup(node.cgroup);
}

/** Starts containerd unless it runs and returns when it answers. */
export async function ensureContainerd(layout: LocalLayout, node: LocalNode): Promise<void> {
  const configuration = join(node.directory, 'containerd.toml');
  await mkdir(join(node.directory, 'cni'), { recursive: true });
  await writeFile(join(node.directory, 'cni', '10-pods.conflist'), cniConfiguration(node));
  await writeFile(configuration, containerdConfiguration(node));
  const name = daemonName(node, 'containerd');
  const argumentList = ['--config', configuration];
  const command = findCommand('containerd') ?? 'containerd';
  if (!(await ensureDaemon(layout, { name, command, arguments: argumentList, node }))) return;
  await waitFor(`containerd of ${node.name} getting ready`, async () => {
    await assertRunning(layout, name);
    // The namespace's images are served once every plugin has started.
    const { code } = await tryRun('ctr', [`--address=${containerdSocket(node)}`, 'version'], { timeoutMs: 5000 });
    return code === 0 ? true : undefined;
  });
}

/** What the programs of a node are started with besides its own paths. */
export interface NodeInputs {
  keys: ControlPlaneKeys;
  binaries: Record<'kubelet' | 'kube-proxy', string>;
}

/** Starts kubelet unless it runs and returns true when it did; it registers the node by itself. containerd must run. */
export async function ensureKubelet(layout: LocalLayout, node: LocalNode, inputs: NodeInputs): Promise<boolean> {
  const authority = inputs.keys.authority;
  const pair = await ensureCertificate(join(layout.keyDirectory, `kubelet-${node.name}`), {
    commonName: `system:node:${node.name}`,
    organizations: ['system:nodes'],
    alternativeNames: [`IP:${node.address}`, `DNS:${node.name}`],
    issuer: authority,
  });
  const kubeconfig = join(node.directory, 'kubelet.kubeconfig');
  const caFile = authority.certificateFile;
  await writeKubeconfig(kubeconfig, { name: 'kubelet', url: layout.apiServerUrl, caFile, client: pair });
  const configuration = join(node.directory, 'kubelet.yaml');
  await writeFile(configuration, kubeletConfiguration(layout, node, { authorityFile: caFile, ...pair }));
  // Where this folder is empty kubelet takes the machine for a new one when it starts and sets all GPUs to zero.
  const devicePlugins = join(node.kubeletDirectory, 'device-plugins');
  await mkdir(devicePlugins, { recursive: true });
  await writeFile(join(devicePlugins, 'simulated'), '');
  return await ensureDaemon(layout, {
    name: daemonName(node, 'kubelet'),
    command: inputs.binaries.kubelet,
    arguments: [
      `--config=${configuration}`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
    ],
    node,
  });
}

/** Starts kube-proxy unless it runs. */
export async function ensureKubeProxy(layout: LocalLayout, node: LocalNode, inputs: NodeInputs): Promise<void> {
  const issuer = inputs.keys.authority;
  const client = await ensureCertificate(join(layout.keyDirectory, `kube-proxy-${node.name}`), {
    commonName: 'system:kube-proxy',
    issuer,
  });
  const kubeconfig = join(node.directory, 'kube-proxy.kubeconfig');
  const caFile = issuer.certificateFile;
  await writeKubeconfig(kubeconfig, { name: 'kube-proxy', url: layout.apiServerUrl, caFile, client });
  await ensureDaemon(layout, {
    name: daemonName(node, 'kube-proxy'),
    command: inputs.binaries['kube-proxy'],
    arguments: kubeProxyArguments(layout, node, kubeconfig),
    node,
  });
}
