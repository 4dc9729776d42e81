/** The deployments that keys reach, by name, and their replicas: what the informers last knew, also without API server. */
import { SERVICE_NAME_LABEL, DEPLOYMENT_UID_LABEL } from '../api/labels.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { EndpointSlice } from '../api/kubernetes.ts';
import { engineModelName, modelNameKey, ownerOfName, parseModelName } from '../api/model-names.ts';
import type { Informer } from '../kube/informer.ts';
import { childName } from '../operator/resources/names.ts';
import type { Caches } from './caches.ts';
import { replicaAddresses } from './endpoints.ts';
import { reachOf } from './reach.ts';
import { TrackedDeployment } from './tracked-deployment.ts';
import type { AuthenticatedKey, Registry, ServedModel } from './types.ts';

/** What of the informers the registry uses. */
export interface RegistryCaches {
  inferenceDeployments: Pick<Informer<InferenceDeployment>, 'onChange' | 'byIndex' | 'get'>;
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

  resolve(key: AuthenticatedKey, model: string): ServedModel<TrackedDeployment> | undefined {
    const reached = this.#reachedBy(key);
    const { namespace = key.namespace, name, adapter } = parseModelName(model);
    const resource = this.#ownerOf(namespace, name);
    // What is hidden from the key has taken the way of what does not exist up to here.
    if (resource === undefined || !reached(resource)) return undefined;
    if (adapter === undefined) return this.#served(resource, model);
    const known = resource.spec.adapters?.some((candidate) => candidate.name === adapter);
    return known ? this.#served(resource, model, adapter) : undefined;
  }

  list(key: AuthenticatedKey): ServedModel<TrackedDeployment>[] {
    return this.#caches.inferenceDeployments
      .byIndex('reachedFrom', key.namespace)
      .filter(this.#reachedBy(key))
      .flatMap((resource) => this.#modelsOf(resource, key.namespace))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(namespace: string, name: string): TrackedDeployment | undefined {
    const resource = this.#caches.inferenceDeployments.get({ namespace, name });
    return resource && this.#byUid.get(resource.metadata.uid ?? '');
  }

  /** Returns all deployments. */
  all(): TrackedDeployment[] {
    return [...this.#byUid.values()];
  }

  /** Who serves a name in a namespace: an id, or an alias. */
  #ownerOf(namespace: string, name: string): InferenceDeployment | undefined {
    return ownerOfName(name, this.#caches.inferenceDeployments.byIndex('modelName', modelNameKey(namespace, name)));
  }

  /** A key that was removed since it was checked reaches nothing. */
  #reachedBy(key: AuthenticatedKey): (resource: InferenceDeployment) => boolean {
    return reachOf(key, this.#caches.apiKeys.get(key));
  }

  /** All that a deployment serves, by the names for keys of `from`; an alias that belongs to another one is not among it. */
  #modelsOf(resource: InferenceDeployment, from: string): ServedModel<TrackedDeployment>[] {
    const { namespace = '', name, uid } = resource.metadata;
    const { aliases = [], adapters = [] } = resource.spec;
    const prefix = namespace === from ? '' : `${namespace}/`;
    const owned = aliases.filter((alias) => this.#ownerOf(namespace, alias)?.metadata.uid === uid);
    return [
      ...[name, ...owned].map((model) => this.#served(resource, prefix + model)),
      ...adapters.map((adapter) => this.#served(resource, `${prefix}${name}:${adapter.name}`, adapter.name)),
    ].filter((model) => model !== undefined);
  }

  #served(
    { metadata: { name, uid = '' } }: InferenceDeployment,
    id: string,
    adapter?: string,
  ): ServedModel<TrackedDeployment> | undefined {
    const deployment = this.#byUid.get(uid);
    const parent = adapter === undefined ? undefined : id.slice(0, -`:${adapter}`.length);
    return deployment && { id, deployment, engineModel: engineModelName(name, adapter), parent };
  }

  #put(resource: InferenceDeployment): void {
    const known = this.#byUid.get(resource.metadata.uid ?? '');
    if (known !== undefined) {
      if (known.update(resource)) this.#observer.touch?.(known);
      return;
    }
    const added = new TrackedDeployment(resource);
    this.#byUid.set(added.uid, added);
    this.#refresh(added);
    // It may be in the middle of a scale-down that waits for the word of every gateway.
    if (resource.status?.replicas?.drainingPods !== undefined) this.#observer.touch?.(added);
  }

  #remove({ metadata: { uid = '' } }: InferenceDeployment): void {
    const removed = this.#byUid.get(uid);
    if (removed === undefined) return;
    this.#byUid.delete(uid);
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
