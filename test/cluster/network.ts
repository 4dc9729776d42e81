/**
 * The network of a local cluster: a bridge on the host with an address for the API server, a network namespace per
 * node with one end of a veth pair, and routes on the host to Services and pods. Nothing leaves the machine: no rule
 * of the host's firewall and no setting of the host's network is touched.
 */
import { run as runCommand, tryRun } from './command.ts';
import type { RunOptions } from './command.ts';
import type { LocalLayout, LocalNode } from './state.ts';

async function run(command: string, args: string[], options: RunOptions = {}): Promise<void> {
  await runCommand(command, args, { ...options, endWithParent: true });
}

async function linkExists(name: string): Promise<boolean> {
  return (await tryRun('ip', ['link', 'show', 'dev', name])).code === 0;
}

async function deleteLink(name: string): Promise<void> {
  const { stderr } = await tryRun('ip', ['link', 'delete', name]);
  // It may have gone by itself meanwhile, with the namespace at its other end.
  if (await linkExists(name)) throw new Error(`cannot delete the network interface ${name}: ${stderr.trim()}`);
}

/** Makes the bridge unless it is there. */
export async function ensureBridge(layout: LocalLayout): Promise<void> {
  const { bridge, host, nodePrefixLength } = layout.addresses;
  if (!(await linkExists(bridge))) await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await run('ip', ['address', 'replace', `${host}/${nodePrefixLength}`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
}

/** Connects the node's network namespace to the bridge, and it and the host to all pods and Services. */
export async function ensureNodeNetwork(layout: LocalLayout, node: LocalNode): Promise<void> {
  const { bridge, host, nodePrefixLength, serviceRange } = layout.addresses;
  if (!(await linkExists(node.hostInterface))) {
    const peer = ['peer', 'name', 'eth0', 'netns', node.networkNamespace];
    await run('ip', ['link', 'add', node.hostInterface, 'type', 'veth', ...peer]);
  }
  await run('ip', ['link', 'set', node.hostInterface, 'master', bridge, 'up']);
  const others = layout.localNodes.filter(({ name }) => name !== node.name);
  const inside = [
    'link set lo up',
    `address replace ${node.address}/${nodePrefixLength} dev eth0`,
    'link set eth0 up',
    `route replace default via ${host}`,
    ...others.map((other) => `route replace ${other.podRange} via ${other.address}`),
  ];
  const enter = [`--net=${node.networkNamespace}`];
  await run('nsenter', [...enter, 'ip', '-batch', '-'], { input: `${inside.join('\n')}\n` });
  // /proc/sys/net is that of the process which opens it: this sets the node's, not the host's.
  await run('nsenter', [...enter, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  await run('ip', ['route', 'replace', node.podRange, 'via', node.address]);
  // Services are reached through the first node's kube-proxy.
  if (node.name === layout.localNodes[0]?.name) {
    await run('ip', ['route', 'replace', serviceRange, 'via', node.address]);
  }
}

/** Removes the bridge and the veth pairs; the routes go with them, the namespaces by unmounting their files. */
export async function removeNetwork(layout: LocalLayout): Promise<void> {
  for (const node of layout.localNodes) await disconnectNode(node);
  await deleteLink(layout.addresses.bridge);
}

/** Removes the node's veth pair if there is one. */
export async function disconnectNode(node: LocalNode): Promise<void> {
  await deleteLink(node.hostInterface);
}
