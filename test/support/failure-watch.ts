/** Watches what status says of deployments that fail, and since when Kubernetes lets know why. */
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { ContainerStatus, Deployment, Pod } from '../../src/api/kubernetes.ts';
import { COMPONENT_LABEL, DEPLOYMENT_LABEL, REPLICA_COMPONENT } from '../../src/api/labels.ts';
import { deployments, inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { MemoryLogger } from './kube.ts';

/** What the Ready condition said from `atMs` (of performance.now) on. */
export interface Told {
  atMs: number;
  status: string;
  reason: string;
  message: string;
}

/** What tells the cause: one of the deployment's pods, or its Deployment. */
export interface Sign {
  pod?: (pod: Pod) => boolean;
  deployment?: (deployment: Deployment) => boolean;
}

export class FailureWatch {
  readonly #informers: { stop(): Promise<void> }[];
  readonly #pods: Informer<Pod>;
  readonly #told = new Map<string, Told[]>();
  readonly #signs = new Map<string, Sign>();
  readonly #seenMs = new Map<string, number>();

  constructor(client: KubeClient) {
    const informer = <T extends KubeObject>(resource: Resource<T>): Informer<T> =>
      new Informer<T>({ client, resource, decode: (object) => object, logger: new MemoryLogger() });
    const resources = informer(inferenceDeployments);
    const children = informer(deployments);
    this.#pods = informer(pods);
    resources.onChange(({ object }) => this.#note(object));
    children.onChange(({ object }) => {
      this.#see(object, (sign) => sign.deployment?.(object) ?? false);
    });
    this.#pods.onChange(({ type, object }) => {
      if (type !== 'deleted') this.#see(object, (sign) => sign.pod?.(object) ?? false);
    });
    this.#informers = [resources, children, this.#pods];
    for (const started of [resources, children, this.#pods]) started.start();
  }

  /** From now on the first time is kept at which `sign` is seen of the deployment `name`. */
  await(name: string, sign: Sign): void {
    this.#seenMs.delete(name);
    this.#signs.set(name, sign);
  }

  /** When the sign was seen first, of performance.now; undefined while it was not. */
  seenMs(name: string): number | undefined {
    return this.#seenMs.get(name);
  }

  /** Everything that the Ready condition has said, oldest first. */
  told(name: string): readonly Told[] {
    return this.#told.get(name) ?? [];
  }

  /** The replicas. */
  podsOf(name: string): Pod[] {
    return this.#pods.list().filter((pod) => pod.metadata.labels?.[DEPLOYMENT_LABEL] === name && isReplica(pod));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map(async (informer) => await informer.stop()));
  }

  #note({ metadata: { name }, status }: InferenceDeployment): void {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready === undefined) return;
    const told = this.#told.get(name) ?? [];
    const last = told.at(-1);
    if (last?.reason === ready.reason && last.message === ready.message && last.status === ready.status) return;
    const { reason, message, status: is } = ready;
    this.#told.set(name, [...told, { atMs: performance.now(), status: is, reason, message }]);
  }

  #see(object: KubeObject, isSeen: (sign: Sign) => boolean): void {
    const name = object.metadata.labels?.[DEPLOYMENT_LABEL] ?? '';
    const sign = this.#signs.get(name);
    if (sign && !this.#seenMs.has(name) && isSeen(sign)) this.#seenMs.set(name, performance.now());
  }
}

/** Returns a sign in the status of the container `name`, init containers included. */
export function containerSign(name: string, isSeen: (container: ContainerStatus) => boolean): Sign {
  return {
    pod: ({ status }) =>
      [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].some(
        (container) => container.name === name && isSeen(container),
      ),
  };
}

function readySign(wanted: 'True' | 'False'): Sign {
  return {
    // A preflight's pod is ready as well while it looks.
    pod: (pod) =>
      isReplica(pod) &&
      (pod.status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === wanted) ?? false),
  };
}

function isReplica({ metadata: { labels } }: Pod): boolean {
  return labels?.[COMPONENT_LABEL] === REPLICA_COMPONENT;
}

/** The sign that a replica serves, and that one does not. */
export const READY = readySign('True');
export const NOT_READY = readySign('False');
