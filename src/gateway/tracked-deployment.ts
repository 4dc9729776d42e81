/** One deployment and its replicas, kept up to date in place: requests under way hold on to both. */
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { ReplicaAddress } from './endpoints.ts';
import type { Deployment, Replica } from './types.ts';

export class TrackedDeployment implements Deployment {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly created: number;
  #holdTimeoutSeconds = 0;
  #suspended = false;
  #removed = false;
  /** Of the status: the number of replicas that is wanted, since when (Unix milliseconds), and how long one took to start. */
  #desired = 0;
  #scaledAtMs = Number.NaN;
  #loadSeconds: number | undefined;
  /** Pod UIDs. */
  #draining: ReadonlySet<string> = new Set();
  #replicas: readonly Replica[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(resource: InferenceDeployment) {
    const { namespace = '', name, uid = '', creationTimestamp = '' } = resource.metadata;
    this.namespace = namespace;
    this.name = name;
    this.uid = uid;
    this.created = Math.floor(Date.parse(creationTimestamp) / 1000) || 0;
    this.update(resource);
  }

  get holdTimeoutSeconds(): number {
    return this.#holdTimeoutSeconds;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  get removed(): boolean {
    return this.#removed;
  }

  replicas(): readonly Replica[] {
    return this.#replicas;
  }

  onReplicasChange(listener: () => void): () => void {
    // An own function for each call: one that is given twice is called twice.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  readyInSeconds(nowMs: number, waitedSeconds: number): number | undefined {
    if (this.#loadSeconds === undefined) return undefined;
    const sinceScaled = (nowMs - this.#scaledAtMs) / 1000;
    const startedFor = this.#desired > 0 && sinceScaled >= 0 ? sinceScaled : waitedSeconds;
    const left = Math.ceil(this.#loadSeconds - startedFor);
    // One that should be there by now is held up, for want of a GPU for example: a second would be said for hours.
    return left > 0 ? left : undefined;
  }

  /** Takes a new state of the resource; returns whether other replicas are to leave than before. */
  update(resource: InferenceDeployment): boolean {
    const { holdTimeoutSeconds, suspend } = effectiveSpec(resource.spec);
    this.#holdTimeoutSeconds = holdTimeoutSeconds;
    const stopped = suspend && !this.#suspended;
    this.#suspended = suspend;
    if (stopped) this.#tell();
    const { desiredReplicas = 0, lastScaleTime = '', learned } = resource.status?.scaling ?? {};
    this.#desired = desiredReplicas;
    this.#scaledAtMs = Date.parse(lastScaleTime);
    this.#loadSeconds = learned?.loadSeconds;
    const before = this.#draining;
    this.#draining = new Set(resource.status?.replicas?.drainingPods);
    if (before.symmetricDifference(this.#draining).size === 0) return false;
    for (const replica of this.#replicas) replica.draining = this.#draining.has(replica.podUid);
    return true;
  }

  /**
   * Takes where the replicas are now. A replica stays the same object as long as its pod keeps its address; one that is
   * gone no longer serves, for whoever still holds it.
   */
  setReplicas(addresses: ReadonlyMap<string, ReplicaAddress>): void {
    const known = new Map(this.#replicas.map((replica) => [replica.podUid, replica]));
    const before = servingOf(this.#replicas);
    const next = [...addresses].map(([podUid, { origins, serving }]) => {
      const replica = known.get(podUid);
      // A pod whose sandbox was made again has another address, and what was in flight to the old one is lost.
      if (replica !== undefined && origins.includes(replica.origin)) return Object.assign(replica, { serving });
      const draining = this.#draining.has(podUid);
      const idle = { inFlight: 0, batchInFlight: 0, outstandingTokens: 0 };
      return { podUid, origin: origins.at(-1) ?? '', serving, draining, ...idle };
    });
    for (const replica of this.#replicas) if (!next.includes(replica)) replica.serving = false;
    this.#replicas = next;
    const after = servingOf(next);
    if (before.length === after.length && before.every((replica) => after.includes(replica))) return;
    this.#tell();
  }

  /** The resource was deleted. */
  remove(): void {
    this.#removed = true;
    for (const replica of this.#replicas) replica.serving = false;
    this.#replicas = [];
    this.#tell();
  }

  #tell(): void {
    // A copy: a listener may wait anew at once.
    for (const listener of Array.from(this.#listeners)) listener();
  }
}

function servingOf(replicas: readonly Replica[]): Replica[] {
  return replicas.filter(({ serving }) => serving);
}
