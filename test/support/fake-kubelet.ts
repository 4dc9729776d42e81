/** Stands in for scheduler and kubelet where no node runs: gives each pod the status that a test asks for. */
import type { Pod } from '../../src/api/kubernetes.ts';
import { COMPONENT_LABEL, FETCH_COMPONENT, PREFLIGHT_COMPONENT } from '../../src/api/labels.ts';
import { pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isNotFound } from '../../src/kube/errors.ts';
import { Informer } from '../../src/kube/informer.ts';
import { DOWNLOAD_CONTAINER } from '../../src/operator/resources/download.ts';
import { PREFLIGHT_CONTAINER } from '../../src/operator/resources/preflight-job.ts';
import { formatResult, type ModelFacts, type PreflightResult } from '../../src/preflight/result.ts';
import { eventually } from './eventually.ts';

type PodStatus = NonNullable<Pod['status']>;

const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

/** What the look-up of every model finds in `foundStatus`. */
export const FOUND: ModelFacts = {
  commit: '0e9e39f249a16976918f6564b8830bc894c89659',
  weightBytes: 16_060_522_496,
  totalBytes: 16_070_000_000,
  contextLength: 8_192,
  gated: false,
  architecture: 'LlamaForCausalLM',
  dtype: 'bfloat16',
  adapters: [],
};

/** Returns whether the pod looks a model up. */
export function isPreflight({ metadata }: Pod): boolean {
  return metadata.labels?.[COMPONENT_LABEL] === PREFLIGHT_COMPONENT;
}

/** Returns whether the pod downloads a model into a cache. */
export function isFetch({ metadata }: Pod): boolean {
  return metadata.labels?.[COMPONENT_LABEL] === FETCH_COMPONENT;
}

/** The status of a download that ended well, or with `failure`. */
export function fetchedStatus(failure?: { reason: string; message: string }): PodStatus {
  return endedStatus(DOWNLOAD_CONTAINER, failure === undefined ? 0 : 1, JSON.stringify(failure));
}

/** The status of a look-up that ended with this result. */
export function lookedUpStatus(result: PreflightResult = { facts: FOUND }): PodStatus {
  return endedStatus(PREFLIGHT_CONTAINER, 'failure' in result ? 1 : 0, formatResult(result));
}

/** Of a pod that the kubelet starts again where its container failed. */
function endedStatus(name: string, exitCode: number, message?: string): PodStatus {
  const failed = exitCode !== 0;
  const terminated = { exitCode, reason: failed ? 'Error' : 'Completed', ...(message && { message }) };
  const container = { name, image: 'infer', imageID: '', ready: false, restartCount: 0 };
  return {
    phase: failed ? 'Running' : 'Succeeded',
    conditions: [{ type: 'PodScheduled', status: 'True' }],
    containerStatuses: [{ ...container, state: { terminated } }],
  };
}

/** The status of a replica that serves, of a look-up that found its model, and of a download that is done. */
export function servingStatus(pod?: Pod): PodStatus {
  if (pod && isPreflight(pod)) return lookedUpStatus();
  if (pod && isFetch(pod)) return fetchedStatus();
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
  /** The last write to each pod, by its UID: the next one waits for it, since the newest status is to be the last. */
  readonly #writes = new Map<string, Promise<void>>();

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
    await Promise.all(this.#writes.values());
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
    const uid = pod.metadata.uid ?? '';
    const before = this.#writes.get(uid);
    const inTurn = async (): Promise<void> => {
      await before;
      // An API server that a test has just killed comes back.
      await eventually(patch, 60_000, 200);
    };
    const write = inTurn().finally(() => {
      if (this.#writes.get(uid) === write) this.#writes.delete(uid);
    });
    this.#writes.set(uid, write);
  }
}
