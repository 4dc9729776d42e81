/** Watches the replicas of a deployment and the count that the scaler wants of them. */
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Pod } from '../../src/api/kubernetes.ts';
import { COMPONENT_LABEL, DEPLOYMENT_LABEL, REPLICA_COMPONENT } from '../../src/api/labels.ts';
import { inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import { MemoryLogger } from '../../test/support/kube.ts';
import type { Lifetime, Wanted } from './lifetimes.ts';

export class ScalingWatch {
  readonly #name: string;
  readonly #progress: (line: string) => void;
  readonly #replicas: Informer<Pod>;
  readonly #deployments: Informer<InferenceDeployment>;
  readonly #lifetimes = new Map<string, Lifetime>();
  readonly #wanted: Wanted[] = [];

  constructor(
    client: KubeClient,
    { namespace, name }: { namespace: string; name: string },
    progress: (line: string) => void,
  ) {
    this.#name = name;
    this.#progress = progress;
    const common = { client, namespace, logger: new MemoryLogger() };
    this.#replicas = new Informer<Pod>({
      ...common,
      resource: pods,
      labelSelector: `${DEPLOYMENT_LABEL}=${name},${COMPONENT_LABEL}=${REPLICA_COMPONENT}`,
      decode: (pod) => pod,
    });
    this.#deployments = new Informer<InferenceDeployment>({
      ...common,
      resource: inferenceDeployments,
      decode: (deployment) => deployment,
    });
    this.#replicas.onChange(({ type, object }) => this.#seen(object, type === 'deleted'));
    this.#deployments.onChange(({ object }) => this.#decided(object));
    this.#replicas.start();
    this.#deployments.start();
  }

  /** Of all replicas that there were. */
  get lifetimes(): Lifetime[] {
    return [...this.#lifetimes.values()];
  }

  /** Every count that was wanted, the oldest first. */
  get wanted(): readonly Wanted[] {
    return this.#wanted;
  }

  /** Replicas that serve now. */
  get ready(): number {
    return this.#replicas.list().filter(isReady).length;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#replicas.stop(), this.#deployments.stop()]);
  }

  /** By this process's own clock: the cluster's times are whole seconds. */
  #seen(pod: Pod, gone: boolean): void {
    const nowMs = Date.now();
    const { uid = '' } = pod.metadata;
    const known = this.#lifetimes.get(uid);
    this.#lifetimes.set(uid, {
      createdAtMs: known?.createdAtMs ?? nowMs,
      scheduledAtMs: known?.scheduledAtMs ?? (pod.spec?.nodeName === undefined ? undefined : nowMs),
      readyAtMs: known?.readyAtMs ?? (isReady(pod) ? nowMs : undefined),
      endedAtMs: known?.endedAtMs ?? (gone ? nowMs : undefined),
    });
  }

  #decided({ metadata, status }: InferenceDeployment): void {
    const { desiredReplicas, message, reason } = status?.scaling ?? {};
    const last = this.#wanted.at(-1)?.[1];
    if (metadata.name !== this.#name || desiredReplicas === undefined || desiredReplicas === last) return;
    this.#wanted.push([Date.now(), desiredReplicas]);
    this.#progress(`${last ?? 0} → ${desiredReplicas} replicas: ${reason}: ${message}`);
  }
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}
