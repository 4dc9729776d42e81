/** A local cluster with Infer on which things fail, and the ways to make them fail and to mend them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localLayout } from '../cluster/local-cluster.ts';
import { podProcesses } from '../cluster/programs.ts';
import { FailureWatch } from '../support/failure-watch.ts';
import { clientOf } from '../support/kube.ts';

export const NAMESPACE = 'team-a';
/** Its quota has no room for an accelerator. */
export const CROWDED = 'team-b';
/** An accelerator that one deployment alone waits for. */
export const OTHER_GPU = 'example.com/gpu';

const TOO_MUCH = Buffer.alloc(32 * 1024 * 1024, 1);

export class FailureBed {
  readonly client: KubeClient;
  readonly watch: FailureWatch;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.client = clientOf(cluster.kubeconfig);
    this.watch = new FailureWatch(this.client);
  }

  /** Makes the namespaces, the quota, a Secret without the key that is asked for, and the other accelerator. */
  async prepare(): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const namespaces = [NAMESPACE, CROWDED].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    }));
    const metadata = { name: 'none', namespace: CROWDED };
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata,
      spec: { hard: { [`requests.${OTHER_GPU}`]: '0' } },
    };
    await applyObjects(this.#cluster, [...namespaces, quota]);
    await this.applySecret('keyless', { other: 'x' });
    const two = { [OTHER_GPU]: '2' };
    const status = JSON.stringify({ status: { capacity: two, allocatable: two } });
    const [node] = this.#cluster.nodes;
    await this.kubectl('patch', 'node', node?.name ?? '', '--subresource=status', '--type=merge', '-p', status);
  }

  async kubectl(...args: string[]): Promise<void> {
    await kubectl(this.#cluster, args);
  }

  async edit(name: string, spec: Partial<InferenceDeploymentSpec>, namespace = NAMESPACE): Promise<void> {
    await this.client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
  }

  async applySecret(name: string, data: Record<string, string>): Promise<void> {
    const metadata = { name, namespace: NAMESPACE };
    await applyObjects(this.#cluster, [{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: data }]);
  }

  /** Stops the replica's processes (SIGSTOP) or lets them go on: its node finds it running, its probes find no answer. */
  async freeze(name: string, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    for (const { metadata } of this.watch.podsOf(name)) {
      for (const pid of await podProcesses(metadata.uid ?? '')) process.kill(pid, signal);
    }
  }

  /**
   * Writes more into the model cache of each replica than it may hold, until the signal. The engines are stopped: of one
   * that ends with exit code 0 when it is evicted the kubelet forgets why it ended it.
   */
  async fillCaches(name: string, until: AbortSignal): Promise<void> {
    const [node] = (await localLayout(this.#cluster.name)).localNodes;
    const filled = new Set<string>();
    while (!until.aborted) {
      for (const { metadata, status } of this.watch.podsOf(name)) {
        const uid = metadata.uid ?? '';
        if (filled.has(uid) || status?.phase !== 'Running') continue;
        filled.add(uid);
        const cache = join(node?.kubeletDirectory ?? '', 'pods', uid, 'volumes/kubernetes.io~empty-dir/model');
        // A pod that has just gone has no cache to fill.
        await writeFile(join(cache, 'too-much'), TOO_MUCH).catch(() => undefined);
        await this.freeze(name, 'SIGSTOP');
      }
      await delay(500, undefined, { signal: until }).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    await this.watch.stop();
    await this.client.close();
  }
}
