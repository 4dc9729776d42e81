/**
 * The replicas that were seen to go and whose end the status does not count yet, and those whose end it has counted lately.
 * Every process of the operator keeps them, so that a new leader knows of what went while the one before ended.
 */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Pod } from '../../api/kubernetes.ts';
import type { Change, Informer } from '../../kube/informer.ts';
import { replicaIndexKey } from '../caches.ts';
import { LATE_SECONDS, toSeconds } from './checkpoint.ts';
import { lifetimes, type DepartedPod, type Lifetime } from './lifetimes.ts';

export class DepartedPods {
  /** By NAMESPACE/UID of the deployment, as the cache of pods has them. */
  readonly #departed = new Map<string, DepartedPod[]>();
  /**
   * By the same key, until when a replica was counted whose end the status tells, in Unix seconds: a pod that is labelled as
   * a replica again, or comes late from a watch, is no second life. Kept for as long as `advance` cannot tell by itself.
   */
  readonly #counted = new Map<string, Map<string, number>>();

  /** `nowMs` returns Unix milliseconds. */
  constructor(
    caches: {
      pods: Pick<Informer<Pod>, 'onChange'>;
      inferenceDeployments: Pick<Informer<InferenceDeployment>, 'onChange' | 'byIndex'>;
    },
    nowMs: () => number,
  ) {
    caches.pods.onChange((change) => {
      if (change.type !== 'deleted') this.#isThere(change.object);
      const pod = leftBy(change);
      if (pod === undefined) return;
      const key = replicaIndexKey(pod);
      const [, uid = ''] = key.split('/');
      if (caches.inferenceDeployments.byIndex('uid', uid).length === 0) return;
      this.#departed.set(key, [...(this.#departed.get(key) ?? []), { pod, atMs: nowMs() }]);
    });
    caches.inferenceDeployments.onChange(({ type, object: { metadata, status }, previous }) => {
      const key = `${metadata.namespace ?? ''}/${metadata.uid ?? ''}`;
      if (type === 'deleted') {
        this.#departed.delete(key);
        this.#counted.delete(key);
        return;
      }
      this.#noteEnds(key, previous?.status?.usage, status?.usage);
      this.#keep(key, (departed) => !isCounted(departed, status?.usage));
    });
  }

  /** Returns the lifetimes of `pods`, which are all that are there of the deployment NAMESPACE/UID, and of those that went. */
  lives(key: string, pods: readonly Pod[]): Lifetime[] {
    const counted = this.#counted.get(key);
    return lifetimes(pods, this.#departed.get(key) ?? []).map((life) => ({
      ...life,
      since: Math.max(life.since, counted?.get(life.uid) ?? life.since),
    }));
  }

  #isThere(pod: Pod): void {
    this.#keep(replicaIndexKey(pod), (departed) => departed.pod.metadata.uid !== pod.metadata.uid);
  }

  #keep(key: string, isKept: (departed: DepartedPod) => boolean): void {
    const known = this.#departed.get(key);
    if (known === undefined) return;
    const left = known.filter(isKept);
    if (left.length === 0) this.#departed.delete(key);
    else this.#departed.set(key, left);
  }

  #noteEnds(key: string, before: Usage, usage: Usage): void {
    if (usage?.asOf === undefined) return;
    const asOf = toSeconds(usage.asOf);
    const running = new Set(usage.running?.map(({ uid }) => uid));
    const counted = new Map(this.#counted.get(key));
    for (const { uid } of before?.running ?? []) counted.set(uid, asOf);
    for (const [uid, until] of counted) if (running.has(uid) || until < asOf - LATE_SECONDS) counted.delete(uid);
    if (counted.size === 0) this.#counted.delete(key);
    else this.#counted.set(key, counted);
  }
}

type Usage = NonNullable<InferenceDeployment['status']>['usage'];

/** The pod as a replica that is none any more: it is gone, or was labelled so that it is another's, or nobody's. */
function leftBy({ type, object, previous }: Change<Pod>): Pod | undefined {
  if (type === 'deleted') return object;
  return previous && replicaIndexKey(previous) !== replicaIndexKey(object) ? previous : undefined;
}

function isCounted(departed: DepartedPod, usage: Usage): boolean {
  const [life] = lifetimes([], [departed]);
  // It never had a place.
  if (life?.until === undefined) return true;
  if (usage?.asOf === undefined || usage.running?.some(({ uid }) => uid === life.uid)) return false;
  return life.until <= Date.parse(usage.asOf) / 1_000;
}
