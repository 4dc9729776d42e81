/** The programs of a local cluster, to be killed and started again by tests. */
import { apiServerReady } from './api-server-ready.ts';
import type { RestartableProcess } from './child-process.ts';
import type { Cluster } from './cluster-types.ts';
import { daemonPid, killDaemon, restartDaemon } from './daemons.ts';
import { localLayout } from './local-cluster.ts';
import { daemonName } from './node.ts';
import type { NodeProgram } from './node.ts';
import type { LocalLayout } from './state.ts';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from './wait.ts';

/** A program of the control plane. */
export type ControlPlaneProgram = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** A program and where it runs. */
export interface LocalProgram extends Omit<RestartableProcess, 'pid'> {
  /** Unique in the cluster. */
  name: string;
  /** Where its output is appended. */
  logFile: string;
  /** The number of its process, undefined while it does not run. */
  pid(): Promise<number | undefined>;
}

function program(layout: LocalLayout, name: string): LocalProgram {
  return {
    name,
    logFile: join(layout.logDirectory, `${name}.log`),
    pid: async () => await daemonPid(layout, name),
    kill: async (signal) => await killDaemon(layout, name, signal),
    start: async () => {
      await restartDaemon(layout, name);
      if (name !== 'kube-apiserver') return;
      const caFile = join(layout.keyDirectory, 'ca.crt');
      await waitFor('kube-apiserver getting ready', async () => await apiServerReady(layout.apiServerUrl, caFile), {
        timeoutMs: 60_000,
      });
    },
  };
}

/**
 * Returns a program of the control plane of a local cluster. `start` returns when the API server is ready, and at once
 * for the others. Throws a UserError where the cluster is not a local one.
 */
export async function controlPlaneProgram(cluster: Cluster, name: ControlPlaneProgram): Promise<LocalProgram> {
  return program(await localLayout(cluster.name), name);
}

/**
 * Returns the numbers of the processes in the containers of a pod on this machine, by the name of the pod's cgroup; the
 * container that holds the pod's network is left out.
 */
export async function podProcesses(podUid: string): Promise<number[]> {
  const numbers = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const found = await Promise.all(
    numbers.map(async (pid) => {
      const read = async (file: string): Promise<string> =>
        await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      const [cgroup, command] = await Promise.all([read('cgroup'), read('cmdline')]);
      return cgroup.includes(`/pod${podUid}/`) && !command.startsWith('/pause') ? [pid] : [];
    }),
  );
  return found.flat();
}

/**
 * Returns a program of a node of a local cluster. A node whose kubelet is killed is a lost node: its containers go on,
 * and after 50 seconds Kubernetes says NotReady. `start` returns before the node is ready again.
 */
export async function nodeProgram(cluster: Cluster, nodeName: string, name: NodeProgram): Promise<LocalProgram> {
  const layout = await localLayout(cluster.name);
  const node = layout.localNodes.find((candidate) => candidate.name === nodeName);
  if (node === undefined) throw new Error(`the cluster ${cluster.name} has no node ${nodeName}`);
  return program(layout, daemonName(node, name));
}

/** Returns every program of a local cluster. */
export async function allPrograms(cluster: Cluster): Promise<LocalProgram[]> {
  const layout = await localLayout(cluster.name);
  const ofNodes = layout.localNodes.flatMap((node) =>
    (['containerd', 'kubelet', 'kube-proxy'] as const).map((name) => daemonName(node, name)),
  );
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', ...ofNodes];
  return names.map((name) => program(layout, name));
}
