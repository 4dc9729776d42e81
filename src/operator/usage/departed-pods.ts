/**
 * The replicas that were seen to go and whose end the status does not count yet. Every process of the operator keeps them,
 * so that a new leader knows of what went while the one before ended.
 */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Pod } from '../../api/kubernetes.ts';
import type { Informer } from '../../kube/informer.ts';
import { replicaIndexKey } from '../caches.ts';
import { lifetimes, type DepartedPod } from './lifetimes.ts';

export class DepartedPods {
  /** By NAMESPACE/UID of the deployment, as the cache of pods has them. */
  readonly #departed = new Map<string, DepartedPod[]>();

  /** `nowMs` returns Unix milliseconds. */
  constructor(
    caches: {
      pods: Pick<Informer<Pod>, 'onChange'>;
      inferenceDeployments: Pick<Informer<InferenceDeployment>, 'onChange' | 'byIndex'>;
    },
    nowMs: () => number,
  ) {
    caches.pods.onChange(({ type, object: pod }) => {
      if (type !== 'deleted') return;
      const key = replicaIndexKey(pod);
      const [, uid = ''] = key.split('/');
      if (caches.inferenceDeployments.byIndex('uid', uid).length === 0) return;
      this.#departed.set(key, [...this.of(key), { pod, atMs: nowMs() }]);
    });
    caches.inferenceDeployments.onChange(({ type, object: { metadata, status } }) => {
      const key = `${metadata.namespace ?? ''}/${metadata.uid ?? ''}`;
      const known = this.#departed.get(key);
      if (known === undefined) return;
      const left = type === 'deleted' ? [] : known.filter((departed) => !isCounted(departed, status?.usage));
      if (left.length === 0) this.#departed.delete(key);
      else this.#departed.set(key, left);
    });
  }

  /** Returns those of the deployment NAMESPACE/UID. */
  of(key: string): readonly DepartedPod[] {
    return this.#departed.get(key) ?? [];
  }
}

type Usage = NonNullable<InferenceDeployment['status']>['usage'];

function isCounted(departed: DepartedPod, usage: Usage): boolean {
  const [life] = lifetimes([], [departed]);
  // It never had a place.
  if (life?.until === undefined) return true;
  if (usage?.asOf === undefined || usage.running?.some(({ uid }) => uid === life.uid)) return false;
  return life.until <= Date.parse(usage.asOf) / 1_000;
}
