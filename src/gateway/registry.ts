/** The deployments that keys reach, by name, and their replicas: what the informers last knew, also without API server. */
import { SERVICE_NAME_LABEL, DEPLOYMENT_UID_LABEL } from '../api/labels.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { EndpointSlice } from '../api/kubernetes.ts';
import type { Informer } from '../kube/informer.ts';
import { childName } from '../operator/resources/names.ts';
import type { Caches } from './caches.ts';
import { replicaAddresses } from './endpoints.ts';
import { TrackedDeployment } from './tracked-deployment.ts';
import type { AuthenticatedKey, Registry } from './types.ts';

/** What of the informers the registry uses. */
export interface RegistryCaches {
  inferenceDeployments: Pick<Informer<InferenceDeployment>, 'onChange'>;
  endpointSlices: Pick<Informer<EndpointSlice>, 'onChange' | 'byIndex'>;
  apiKeys: Pick<Caches['apiKeys'], 'get'>;
}

/** Who wants to know of deployments. */
export interface RegistryObserver {
  /** Other replicas of it are to leave than before. */
  touch?(deployment: TrackedDeployment): void;
  /** It was deleted. */
  forget?(deployment: TrackedDeployment): void;
}

export class DeploymentRegistry implements Registry {
  readonly #caches: RegistryCaches;
  readonly #byNamespace = new Map<string, Map<string, TrackedDeployment>>();
  readonly #byUid = new Map<string, TrackedDeployment>();
  readonly #observer: RegistryObserver;

  /** Follows the caches from now on: call it before they are started. */
  constructor(caches: RegistryCaches, observer: RegistryObserver = {}) {
    this.#caches = caches;
    this.#observer = observer;
    caches.inferenceDeployments.onChange(({ type, object }) => {
      if (type === 'deleted') this.#remove(object);
      else this.#put(object);
    });
    caches.endpointSlices.onChange(({ object, previous }) => {
      const uids = [object, previous].map((slice) => slice?.metadata.labels?.[DEPLOYMENT_UID_LABEL] ?? '');
      for (const uid of new Set(uids)) this.#refresh(this.#byUid.get(uid));
    });
  }

  resolve(key: AuthenticatedKey, model: string): TrackedDeployment | undefined {
    const slash = model.indexOf('/');
    if (slash !== -1 && model.slice(0, slash) !== key.namespace) return undefined;
    const found = this.#byNamespace.get(key.namespace)?.get(model.slice(slash + 1));
    return found !== undefined && this.#allows(key)(found) ? found : undefined;
  }

  list(key: AuthenticatedKey): TrackedDeployment[] {
    return [...(this.#byNamespace.get(key.namespace)?.values() ?? [])]
      .filter(this.#allows(key))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Returns all deployments. */
  all(): TrackedDeployment[] {
    return [...this.#byUid.values()];
  }

  /** A key that was removed since it was checked reaches nothing. */
  #allows(key: AuthenticatedKey): (deployment: TrackedDeployment) => boolean {
    const resource = this.#caches.apiKeys.get(key);
    if (resource === undefined) return () => false;
    const { deployments } = resource.spec;
    return ({ namespace, name }) =>
      deployments === undefined || deployments.includes(name) || deployments.includes(`${namespace}/${name}`);
  }

  #put(resource: InferenceDeployment): void {
    const known = this.#byUid.get(resource.metadata.uid ?? '');
    if (known !== undefined) {
      if (known.update(resource)) this.#observer.touch?.(known);
      return;
    }
    const added = new TrackedDeployment(resource);
    this.#byUid.set(added.uid, added);
    const names = this.#byNamespace.get(added.namespace) ?? new Map<string, TrackedDeployment>();
    names.set(added.name, added);
    this.#byNamespace.set(added.namespace, names);
    this.#refresh(added);
    // It may be in the middle of a scale-down that waits for the word of every gateway.
    if (resource.status?.replicas?.drainingPods !== undefined) this.#observer.touch?.(added);
  }

  #remove({ metadata: { uid = '' } }: InferenceDeployment): void {
    const removed = this.#byUid.get(uid);
    if (removed === undefined) return;
    this.#byUid.delete(uid);
    const names = this.#byNamespace.get(removed.namespace);
    names?.delete(removed.name);
    if (names?.size === 0) this.#byNamespace.delete(removed.namespace);
    removed.remove();
    this.#observer.forget?.(removed);
  }

  /**
   * Only slices of the deployment's own Service count: those of a Service that someone made with the same labels
   * (`kubectl expose` copies them), or of one of the same name before the deployment was made again, do not.
   */
  #refresh(deployment: TrackedDeployment | undefined): void {
    if (deployment === undefined) return;
    const slices = this.#caches.endpointSlices
      .byIndex('uid', deployment.uid)
      .filter(
        ({ metadata: { namespace, labels } }) =>
          namespace === deployment.namespace && labels?.[SERVICE_NAME_LABEL] === childName(deployment.name),
      );
    deployment.setReplicas(replicaAddresses(slices));
  }
}
