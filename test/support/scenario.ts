/** One InferenceDeployment from its creation until it serves, and what that did to the cluster. */
import type { InferenceDeployment, InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import {
  controllerRevisions,
  deployments,
  inferenceDeployments,
  jobs,
  networkPolicies,
  podDisruptionBudgets,
  pods,
  services,
} from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { eventually } from './eventually.ts';
import { MemoryLogger } from './kube.ts';

const replicaSets: Resource = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
};

/** Creates the InferenceDeployment `name` and returns it. */
export async function createDeployment(
  client: KubeClient,
  namespace: string,
  name = 'chat',
  spec: Partial<InferenceDeploymentSpec> = {},
): Promise<InferenceDeployment> {
  return await client.create(inferenceDeployments, {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceDeployment',
    metadata: { name, namespace },
    spec: { model: { id: 'org/model' }, ...spec },
  });
}

/** Waits until the Ready condition of `name` has this reason and returns the resource. */
export async function readyReason(
  client: KubeClient,
  namespace: string,
  reason: string,
  name = 'chat',
  timeoutMs = 30_000,
): Promise<InferenceDeployment> {
  return await eventually(async () => {
    const resource = await client.get(inferenceDeployments, { namespace, name });
    const ready = resource?.status?.conditions?.find(({ type }) => type === 'Ready');
    if (!resource || ready?.reason !== reason) {
      throw new Error(`Ready of ${name} is ${ready?.reason ?? 'absent'} (${ready?.message ?? ''}), not ${reason}`);
    }
    return resource;
  }, timeoutMs);
}

/** Counts every object of the operator's kinds that appears and goes in a namespace; generated names are masked. */
export class History {
  readonly #informers: Informer<KubeObject>[];
  readonly #counts = new Map<string, number>();

  constructor(client: KubeClient, namespace: string) {
    const kinds = [
      deployments,
      services,
      podDisruptionBudgets,
      networkPolicies,
      controllerRevisions,
      jobs,
      replicaSets,
      pods,
    ] as Resource[];
    this.#informers = kinds.map((resource) => {
      const informer = new Informer({
        client,
        resource,
        namespace,
        decode: (object) => object,
        logger: new MemoryLogger(),
      });
      informer.onChange(({ type, object }) => {
        if (type === 'updated') return;
        // A Job's or a revision's name holds a hash in which its owner's UID is.
        const generated = ['Pod', 'ReplicaSet', 'ControllerRevision', 'Job'].includes(resource.kind);
        const key = `${type} ${resource.kind} ${generated ? '*' : object.metadata.name}`;
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      });
      informer.start();
      return informer;
    });
  }

  /** `added Service infer-chat` → how often. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
  }
}

/** The children of `name` without what differs from run to run: their specs, to be compared between runs. */
export async function childSpecs(client: KubeClient, namespace: string, name = 'chat'): Promise<unknown> {
  const child = { namespace, name: `infer-${name}` };
  const found = await Promise.all([
    client.get(deployments, child),
    client.get(services, child),
    client.get(podDisruptionBudgets, child),
    client.get(networkPolicies, child),
  ]);
  const masked = JSON.stringify(found.map((object) => object && { spec: object.spec, labels: object.metadata.labels }))
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/"(clusterIP|clusterIPs)":(\[[^\]]*\]|"[^"]*")/g, '"$1":"IP"');
  return JSON.parse(masked);
}
