/** Stands in for scheduler and kubelet where no node runs: gives each pod the status that a test asks for. */
import type { Pod } from '../../src/api/kubernetes.ts';
import { pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isNotFound } from '../../src/kube/errors.ts';
import { Informer } from '../../src/kube/informer.ts';
import { eventually } from './eventually.ts';

type PodStatus = NonNullable<Pod['status']>;

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** The status of a replica that serves. */
export function servingStatus(): PodStatus {
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  const condition = (type: string): NonNullable<PodStatus['conditions']>[number] => ({
    type,
    status: 'True',
    lastTransitionTime: now,
  });
  return {
    phase: 'Running',
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
  };
}

/** The status of a pod that the scheduler finds no node for. */
export function unschedulableStatus(message: string): PodStatus {
  return {
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
  };
}

export class FakeKubelet {
  readonly #client: KubeClient;
  readonly #informer: Informer<Pod>;
  #statusOf: (pod: Pod) => PodStatus;
  readonly #writes = new Set<Promise<void>>();

  /** Looks after the pods of one namespace, or of all. */
  constructor(client: KubeClient, statusOf: (pod: Pod) => PodStatus, namespace?: string) {
    this.#client = client;
    this.#statusOf = statusOf;
    this.#informer = new Informer<Pod>({
      client,
      resource: pods,
      ...(namespace !== undefined && { namespace }),
      decode: (pod) => pod,
      logger: silent,
    });
    this.#informer.onChange(({ type, object }) => {
      if (type === 'added') this.#write(object);
    });
    this.#informer.start();
  }

  /** Gives every pod there is, and those to come, what `statusOf` returns. */
  become(statusOf: (pod: Pod) => PodStatus): void {
    this.#statusOf = statusOf;
    for (const pod of this.#informer.list()) this.#write(pod);
  }

  async stop(): Promise<void> {
    await this.#informer.stop();
    await Promise.all(this.#writes);
  }

  #write(pod: Pod): void {
    const patch = async (): Promise<void> => {
      const body = { status: this.#statusOf(pod) };
      try {
        await this.#client.patch(pods, pod.metadata, body, { type: 'merge', subresource: 'status' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    };
    // An API server that a test has just killed comes back.
    const write = eventually(patch, 60_000, 200).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }
}
