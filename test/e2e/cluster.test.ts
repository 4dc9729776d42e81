import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBinaries } from '../cluster/binaries.ts';
import { killBelow, processesBelow, removeCgroup } from '../cluster/cgroups.ts';
import { clusterAddresses, networksOf } from '../cluster/addresses.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { loadImages } from '../cluster/cluster.ts';
import { run, tryRun } from '../cluster/command.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp, localLayout } from '../cluster/local-cluster.ts';
import { readMounts, unmountBelow } from '../cluster/mounts.ts';
import { removeNetwork } from '../cluster/network.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { allPrograms, controlPlaneProgram, nodeProgram } from '../cluster/programs.ts';
import { ensureScratchImage } from '../cluster/scratch-image.ts';
import { readState } from '../cluster/state.ts';
import { waitFor } from '../cluster/wait.ts';
import { eventually } from '../support/eventually.ts';

const NAME = 't-cluster';
/** kubectl serves as an HTTP client in a pod: it resolves names and needs nothing else in its image. */
const CLIENT_IMAGE = 'localhost/kubectl:dev';

async function lines(command: string, args: string[]): Promise<string[]> {
  return (await run(command, args)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

async function up(nodes: number): Promise<Cluster> {
  return await localClusterUp({ name: NAME, nodes, gpus: 4, progress: () => undefined });
}

async function down(): Promise<void> {
  await localClusterDown(NAME, () => undefined);
}

/** Starts the command and kills it after some milliseconds, which is before it has ended. */
async function killedUp(nodes: number, milliseconds: number): Promise<void> {
  const module = join(repositoryRoot, 'test/cluster/local-cluster.ts');
  const request = `{ name: '${NAME}', nodes: ${nodes}, gpus: 8, progress: () => undefined }`;
  const script = `import { localClusterUp } from '${module}'; await localClusterUp(${request});`;
  const command = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' });
  const exit = once(command, 'exit');
  await delay(milliseconds);
  command.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
}

/** The links, routes and firewall rules of the host that belong to the cluster of this index; others may change. */
async function networkOf(index: number): Promise<string[]> {
  const networks = networksOf(index).map((network) => network.replaceAll('.', '\\.'));
  const ours = new RegExp(`\\b(${clusterAddresses(index).bridge}\\b|${networks.join('|')})`);
  const all = [
    ...(await lines('ip', ['-brief', 'link'])),
    ...(await lines('ip', ['route'])),
    ...(await lines('iptables-save', [])),
  ];
  return all.filter((line) => ours.test(line));
}

/** All else on the machine that the cluster could leave behind. */
async function machine(): Promise<Record<string, unknown>> {
  const folders = ['/run/containerd', '/var/lib/kubelet', '/var/lib/cni', '/var/log/containers', '/opt/containerd'];
  const commandLines = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map(async (pid) => await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return {
    networkNamespaces: (await lines('ip', ['netns'])).filter((line) => line.includes(NAME)),
    mounts: (await readMounts()).map(({ path }) => path).filter((path) => path.includes(`/${NAME}/`)),
    cgroups: (await lines('find', ['/sys/fs/cgroup', '-maxdepth', '3', '-path', `*${NAME}*`])).sort(),
    processes: commandLines.filter((line) => line.includes(`/${NAME}/`)),
    state: existsSync(`/var/lib/infer/${NAME}`),
    folders: folders.filter((path) => existsSync(path)),
    locks: (await readdir('/run/lock')).filter((file) => file.includes(NAME)),
  };
}

describe('the local cluster', () => {
  let before: Record<string, unknown>;
  let cluster: Cluster;
  let index = 0;

  const node = async (name: string, path: string): Promise<string> =>
    await kubectl(cluster, ['get', 'node', name, '-o', `jsonpath=${path}`]);
  const pids = async (): Promise<(number | undefined)[]> =>
    await Promise.all((await allPrograms(cluster)).map(async (program) => await program.pid()));

  /** Returns what a pod gets that asks the host by HTTP. The pod has a simulated GPU. */
  const askFromPod = async (nodeName: string, host: string): Promise<string> => {
    const name = `client-${Date.now()}`;
    const resources = { limits: { 'nvidia.com/gpu': '1' } };
    const args = [`--server=http://${host}`, 'get', '--raw', '/health', '--request-timeout=5s'];
    const container = { name: 'client', image: CLIENT_IMAGE, imagePullPolicy: 'Never', args, resources };
    const nodeSelector = { 'kubernetes.io/hostname': nodeName };
    const spec = { restartPolicy: 'Never', nodeSelector, containers: [container] };
    await applyObjects(cluster, [{ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }]);
    await waitFor(`the pod ${name} ending`, async () => {
      const phase = await kubectl(cluster, ['get', 'pod', name, '-o', 'jsonpath={.status.phase}']);
      return phase === 'Succeeded' || phase === 'Failed' || undefined;
    });
    const answer = await kubectl(cluster, ['logs', name]);
    await kubectl(cluster, ['delete', 'pod', name, '--wait=false']);
    return answer;
  };

  /** Returns when a pod on the node gets an answer. Just after a start of its kubelet a server's pod is not ready. */
  const expectAnswer = async (nodeName: string, host = 'web.kube-system'): Promise<void> => {
    await waitFor(`${host} answering a pod on ${nodeName}`, async () => {
      const answer = await askFromPod(nodeName, host);
      if (answer !== 'OK') throw new Error(answer);
      return true;
    });
  };

  beforeAll(async () => {
    await down();
    before = await machine();
    // Every test here also shows that up completes what an up that was killed had begun.
    await killedUp(1, 2500);
    cluster = await up(1);
    ({ index } = await localLayout(NAME));
    expect(await networkOf(index)).not.toEqual([]);
    const { kubectl: program } = await ensureBinaries(['kubectl']);
    await loadImages(cluster, [await ensureScratchImage(CLIENT_IMAGE, program)]);
    // CoreDNS answers /health on port 8080 with OK: a web server that every cluster has.
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'kube-system' },
      spec: { selector: { 'k8s-app': 'kube-dns' }, ports: [{ port: 80, targetPort: 8080 }] },
    };
    await applyObjects(cluster, [service]);
  }, 900_000);
  afterAll(down, 60_000);

  test('has a node with simulated GPUs, labelled as a real one', async () => {
    const [first] = cluster.nodes;
    expect(first?.name).toBe('t-cluster-node-1');
    expect(await node('t-cluster-node-1', '{.status.allocatable.nvidia\\.com/gpu}')).toBe('4');
    expect(await node('t-cluster-node-1', '{.metadata.labels.nvidia\\.com/gpu\\.product}')).toBe(
      'NVIDIA-A100-SXM4-80GB',
    );
  });

  test('runs a pod with a GPU that reaches a Service by its name', async () => {
    await expectAnswer('t-cluster-node-1');
  }, 60_000);

  test('a second up changes nothing', async () => {
    const running = await pids();
    expect(running).not.toContain(undefined);
    await up(1);
    expect(await pids()).toEqual(running);
  }, 60_000);

  test('does not load an image again that every node has', async () => {
    const { kubectl: program } = await ensureBinaries(['kubectl']);
    const loaded: string[] = [];
    const archive = await ensureScratchImage(CLIENT_IMAGE, program);
    await loadImages(cluster, [archive], (line) => loaded.push(line));
    expect(loaded).toEqual([]);
  });

  test('up starts what was killed, and containers and GPUs outlive it', async () => {
    const containers = ['get', 'pods', '-n', 'kube-system', '-o', 'jsonpath={.items[*].status.containerStatuses}'];
    const containerBefore = await kubectl(cluster, containers);
    for (const program of await allPrograms(cluster)) await program.kill('SIGKILL');
    expect((await pids()).every((pid) => pid === undefined)).toBe(true);
    await up(1);
    expect(await pids()).not.toContain(undefined);
    // A kubelet that starts says of what it has yet to probe that it is not ready.
    await eventually(async () => expect(await kubectl(cluster, containers)).toBe(containerBefore), 30_000);
    expect(await node('t-cluster-node-1', '{.status.capacity.nvidia\\.com/gpu}')).toBe('4');
    await expectAnswer('t-cluster-node-1');
  }, 90_000);

  test('the API server and a kubelet can be killed and started alone', async () => {
    const apiServer = await controlPlaneProgram(cluster, 'kube-apiserver');
    await apiServer.kill('SIGKILL');
    expect((await tryRun(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, 'get', 'nodes'])).code).not.toBe(0);
    await apiServer.start();
    expect(await kubectl(cluster, ['get', 'nodes', '-o', 'name'])).toBe('node/t-cluster-node-1\n');
    const kubelet = await nodeProgram(cluster, 't-cluster-node-1', 'kubelet');
    await kubelet.kill('SIGKILL');
    await kubelet.start();
    expect(await kubelet.pid()).toBeGreaterThan(0);
    await expectAnswer('t-cluster-node-1');
    expect(await node('t-cluster-node-1', '{.status.capacity.nvidia\\.com/gpu}')).toBe('4');
  }, 90_000);

  test('takes a second node, whose pods reach the pods and Services of the first', async () => {
    cluster = await up(2);
    expect(cluster.nodes.map(({ name }) => name)).toEqual(['t-cluster-node-1', 't-cluster-node-2']);
    const { kubectl: program } = await ensureBinaries(['kubectl']);
    await loadImages(cluster, [await ensureScratchImage(CLIENT_IMAGE, program)]);
    await expectAnswer('t-cluster-node-2');
    const podIp = await kubectl(cluster, [
      'get',
      'pods',
      '-n',
      'kube-system',
      '-o',
      'jsonpath={.items[0].status.podIP}',
    ]);
    await expectAnswer('t-cluster-node-2', `${podIp}:8080`);
  }, 90_000);

  test('up makes it whole again after the machine was restarted', async () => {
    const layout = await localLayout(NAME);
    // What a restart of the machine takes: processes, namespaces, network and cgroups. Files stay.
    await killBelow(layout.cgroup);
    await unmountBelow(layout.directory);
    await removeNetwork(layout);
    await removeCgroup(layout.cgroup);
    await up(2);
    await expectAnswer('t-cluster-node-1');
  }, 120_000);

  test('down leaves nothing behind', async () => {
    await down();
    expect(await machine()).toEqual(before);
    expect(await networkOf(index)).toEqual([]);
    // Nothing to remove is fine.
    await down();
  }, 60_000);

  test.each([300, 1500, 4000])(
    'down leaves nothing of an up that was killed after %i ms',
    async (milliseconds) => {
      await killedUp(2, milliseconds);
      const used = (await readState(NAME))?.index ?? index;
      await down();
      // A kubectl that the killed one had begun ends by itself, once it finds that its API server has gone.
      await eventually(async () => expect(await machine()).toEqual(before), 30_000);
      expect(await networkOf(used)).toEqual([]);
      expect(await processesBelow(`infer/${NAME}`)).toEqual([]);
    },
    60_000,
  );
});
