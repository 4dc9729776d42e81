/** A Kubernetes cluster on a bare Linux machine, for root, without Docker: made, repaired and removed. */
import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { MAX_NODES } from './addresses.ts';
import { apiServerReady } from './api-server-ready.ts';
import { ALL_BINARIES, ensureBinaries } from './binaries.ts';
import type { BinaryName } from './binaries.ts';
import { cgroupExists, killBelow, removeCgroup } from './cgroups.ts';
import type { Cluster, ClusterRequest } from './cluster-types.ts';
import { findCommand, run } from './command.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  etcdArguments,
  schedulerArguments,
} from './control-plane-arguments.ts';
import { COREDNS_IMAGE, corednsManifests } from './coredns.ts';
import { assertRunning, ensureDaemon } from './daemons.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { applyObjects, kubectl, simulateGpus } from './kubectl.ts';
import type { Access } from './kubectl.ts';
import { unmountBelow } from './mounts.ts';
import { removeMountPoints } from './namespaces.ts';
import { ensureBridge, removeNetwork } from './network.ts';
import { CNI_PLUGINS, PAUSE_IMAGE } from './node-configuration.ts';
import { loadArchive } from './node-images.ts';
import { daemonName, ensureContainerd, ensureKubeProxy, ensureKubelet, ensureNodeFrame } from './node.ts';
import { ensurePackages } from './packages.ts';
import { stateRoot } from './paths.ts';
import { ensureControlPlaneKeys } from './pki.ts';
import type { ControlPlaneKeys } from './pki.ts';
import { ensureScratchImage } from './scratch-image.ts';
import {
  CGROUP_ROOT,
  assertClusterName,
  clusterCgroup,
  clusterDirectory,
  ensureState,
  layoutOf,
  readAllStates,
  readState,
  withAddressLock,
  withClusterLock,
} from './state.ts';
import type { LocalLayout, LocalNode } from './state.ts';
import { UserError } from './user-error.ts';
import { waitFor } from './wait.ts';

type Binaries = Record<BinaryName, string>;

/** Commands that a cluster needs and the Debian packages they are in. */
const COMMANDS = {
  containerd: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  openssl: 'openssl',
};

/**
 * Returns the Debian packages to install. A command that is there is taken whoever installed it: Docker's containerd.io
 * for example would be removed by an installation of containerd.
 */
function missingPackages(): string[] {
  const packages = Object.entries(COMMANDS).filter(([command]) => findCommand(command) === undefined);
  const plugins = existsSync(join(CNI_PLUGINS, 'ptp')) ? [] : ['containernetworking-plugins'];
  return [...packages.map(([, name]) => name), ...plugins];
}

function assertCapable(): void {
  if (process.platform !== 'linux') {
    throw new UserError(
      'The local cluster needs Linux: install Docker and kind, or set CLUSTER=current and KUBECONFIG.',
    );
  }
  if (process.getuid?.() !== 0) {
    throw new UserError('The local cluster needs root: run the command with sudo, or install Docker and kind.');
  }
}

async function ensureControlPlane(layout: LocalLayout, keys: ControlPlaneKeys, binaries: Binaries): Promise<void> {
  const { addresses, keyDirectory, apiServerUrl } = layout;
  const listen = {
    bindAddress: addresses.host,
    apiServerPort: 6443,
    etcdPort: 2379,
    etcdPeerPort: 2380,
    serviceRange: addresses.serviceRange,
  };
  const caFile = keys.authority.certificateFile;
  const kubeconfigs = {
    controllerManager: join(keyDirectory, 'kube-controller-manager.kubeconfig'),
    scheduler: join(keyDirectory, 'kube-scheduler.kubeconfig'),
  };
  const url = apiServerUrl;
  await writeKubeconfig(kubeconfigs.controllerManager, {
    name: 'controller-manager',
    url,
    caFile,
    client: keys.controllerManager,
  });
  await writeKubeconfig(kubeconfigs.scheduler, { name: 'scheduler', url, caFile, client: keys.scheduler });
  await writeKubeconfig(layout.kubeconfig, { name: layout.name, url, caFile, client: keys.admin });

  const start = async (name: BinaryName, argumentList: string[]): Promise<boolean> =>
    await ensureDaemon(layout, { name, command: binaries[name], arguments: argumentList });
  await start('etcd', etcdArguments(join(layout.directory, 'etcd'), listen, keys));
  await start('kube-apiserver', apiServerArguments(listen, keys));
  await waitFor(
    `kube-apiserver at ${url} getting ready`,
    async () => {
      const ready = await apiServerReady(url, caFile).catch(() => undefined);
      if (ready === undefined) for (const name of ['etcd', 'kube-apiserver']) await assertRunning(layout, name);
      return ready;
    },
    { timeoutMs: 60_000 },
  );
  await start('kube-controller-manager', controllerManagerArguments(kubeconfigs.controllerManager, keys));
  await start('kube-scheduler', schedulerArguments(kubeconfigs.scheduler));
}

/** Returns when the kubelet has said since `since` (milliseconds) that its node is ready. */
async function waitForNode(layout: LocalLayout, node: LocalNode, access: Access, since: number): Promise<void> {
  interface Condition {
    type: string;
    status: string;
    lastHeartbeatTime: string;
  }
  await waitFor(
    `node ${node.name} getting ready`,
    async () => {
      await assertRunning(layout, daemonName(node, 'kubelet'));
      const path = `{.status.conditions}`;
      const text = await kubectl(access, ['get', 'node', node.name, '--ignore-not-found', '-o', `jsonpath=${path}`]);
      const conditions = text === '' ? [] : (JSON.parse(text) as Condition[]);
      const ready = conditions.find(({ type }) => type === 'Ready');
      // What a former kubelet said does not count. Kubernetes' times have no fraction.
      return (ready?.status === 'True' && Date.parse(ready.lastHeartbeatTime) + 1000 > since) || undefined;
    },
    { timeoutMs: 90_000, intervalMs: 200 },
  );
}

/** Returns when a name of a Service is resolved: from here over a Service to a pod and from it to the API server. */
async function waitForDns(layout: LocalLayout): Promise<void> {
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([layout.addresses.dns]);
  await waitFor(
    `DNS in the cluster ${layout.name} answering at ${layout.addresses.dns}`,
    async () => {
      const found = await resolver.resolve4('kubernetes.default.svc.cluster.local');
      return found.includes(layout.addresses.firstService) || undefined;
    },
    { timeoutMs: 90_000 },
  );
}

function clusterOf(layout: LocalLayout, kubectlPath: string): Cluster {
  return {
    kind: 'local',
    name: layout.name,
    kubeconfig: layout.kubeconfig,
    kubectl: kubectlPath,
    nodes: layout.localNodes.map(({ name, address }) => ({ name, ip: address })),
  };
}

async function bringUp(layout: LocalLayout, binaries: Binaries, progress: ClusterRequest['progress']): Promise<void> {
  const { addresses, localNodes } = layout;
  const started = Date.now();
  const seconds = (): string => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const keys = await ensureControlPlaneKeys(layout.keyDirectory, [addresses.host, addresses.firstService]);
  const archives = await Promise.all([
    ensureScratchImage(PAUSE_IMAGE, binaries.pause),
    ensureScratchImage(COREDNS_IMAGE, binaries.coredns),
  ]);
  await ensureBridge(layout);
  const access = { kubectl: binaries.kubectl, kubeconfig: layout.kubeconfig };
  const controlPlane = async (): Promise<void> => {
    await ensureControlPlane(layout, keys, binaries);
    await applyObjects(access, corednsManifests(addresses.dns));
    progress(`control plane ready after ${seconds()}`);
  };
  const runtime = async (node: LocalNode): Promise<void> => {
    await ensureNodeFrame(layout, node);
    await ensureContainerd(layout, node);
    for (const archive of archives) await loadArchive(node, archive);
  };
  await Promise.all([controlPlane(), ...localNodes.map(async (node) => await runtime(node))]);
  await Promise.all(
    localNodes.map(async (node) => {
      const since = (await ensureKubelet(layout, node, { keys, binaries })) ? Date.now() : 0;
      await ensureKubeProxy(layout, node, { keys, binaries });
      await waitForNode(layout, node, access, since);
      await simulateGpus(access, node.name, layout.gpus);
      progress(`node ${node.name} with ${layout.gpus} simulated GPUs ready after ${seconds()}`);
    }),
  );
  await waitForDns(layout);
  progress(`cluster ${layout.name} complete after ${seconds()}`);
}

/**
 * Brings the cluster up or repairs what is missing of it, and returns it when its nodes and its DNS are ready. More
 * nodes can be added to a running cluster, none taken away. Throws a UserError without root, Linux or a tool.
 */
export async function localClusterUp({ name, nodes, gpus, progress }: ClusterRequest): Promise<Cluster> {
  assertClusterName(name);
  assertCapable();
  if (!(nodes >= 1 && nodes <= MAX_NODES))
    throw new UserError(`NODES=${nodes} is not possible: use 1 to ${MAX_NODES}.`);
  const missing = missingPackages();
  if (missing.length > 0) await ensurePackages(missing, 'to run a cluster', progress);
  const binaries = await ensureBinaries(ALL_BINARIES, progress);
  return await withClusterLock(name, progress, async () => {
    const layout = layoutOf(await ensureState({ name, nodes, gpus }));
    await bringUp(layout, binaries, progress);
    return clusterOf(layout, binaries.kubectl);
  });
}

/** Returns the cluster called `name` if it was brought up here and not removed; it may be broken. */
export async function findLocalCluster(name: string): Promise<Cluster | undefined> {
  const state = await readState(name);
  if (state === undefined) return undefined;
  return clusterOf(layoutOf(state), (await ensureBinaries(['kubectl'])).kubectl);
}

/** Returns the local nodes of a cluster, for what only a local cluster can do. */
export async function localLayout(name: string): Promise<LocalLayout> {
  const state = await readState(name);
  if (state === undefined) throw new UserError(`There is no local cluster ${name}: run \`make cluster NAME=${name}\`.`);
  return layoutOf(state);
}

/** Gives every node the images of docker-archives that it does not have yet. */
export async function loadLocalImages(
  name: string,
  archives: string[],
  progress: (line: string) => void,
): Promise<void> {
  const { localNodes } = await localLayout(name);
  await Promise.all(
    localNodes.map(async (node) => {
      for (const archive of archives) {
        if (await loadArchive(node, archive)) progress(`loaded ${archive} into ${node.name}`);
      }
    }),
  );
}

/** Removes everything that `localClusterUp` made, however far it came; nothing to remove is fine. */
export async function localClusterDown(name: string, progress: (line: string) => void): Promise<void> {
  assertClusterName(name);
  assertCapable();
  await withClusterLock(name, progress, async () => {
    const state = await readState(name);
    const directory = clusterDirectory(name);
    await killBelow(clusterCgroup(name));
    await unmountBelow(directory);
    if (state !== undefined) await removeNetwork(layoutOf(state));
    await removeCgroup(clusterCgroup(name));
    await withAddressLock(async () => {
      // Should a mount have been missed, what is in it is not ours to remove.
      await run('rm', ['-rf', '--one-file-system', directory]);
      if ((await readAllStates()).length === 0 && !(await cgroupExists(CGROUP_ROOT))) {
        await removeMountPoints();
        await rmdir(stateRoot()).catch(() => undefined);
      }
    });
  });
}
