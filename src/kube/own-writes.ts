/** Knows whether a cache has passed our own last write of an object (as Kubernetes' controllers do from 1.36). */
import type { Change, InformerCache } from './informer-cache.ts';
import { compareResourceVersions, objectKey } from './types.ts';
import type { KubeObject, ObjectReference } from './types.ts';

/** After this a write is no longer waited for, whatever happened to it. */
const MAX_WAIT_MS = 30_000;

interface Expectation {
  uid: string | undefined;
  resourceVersion: string;
  notedAt: number;
}

export class OwnWrites {
  readonly #cache: Pick<InformerCache<KubeObject>, 'get'>;
  readonly #now: () => number;
  readonly #expected = new Map<string, Expectation>();

  constructor(cache: Pick<InformerCache<KubeObject>, 'get'>, now: () => number = () => performance.now()) {
    this.#cache = cache;
    this.#now = now;
  }

  noteWrite(object: KubeObject): void {
    const { uid, resourceVersion } = object.metadata;
    if (resourceVersion === undefined) return;
    this.#expected.set(objectKey(object.metadata), { uid, resourceVersion, notedAt: this.#now() });
  }

  isBehind(ref: ObjectReference): boolean {
    const key = objectKey(ref);
    const expected = this.#expected.get(key);
    if (expected === undefined) return false;
    const timedOut = this.#now() - expected.notedAt >= MAX_WAIT_MS;
    if (!timedOut && !hasPassed(this.#cache.get(key), expected)) return true;
    this.#expected.delete(key);
    return false;
  }

  /** A change reached the cache. A deletion ends the wait: what we wrote came before it or is gone as well. */
  observe(change: Change<KubeObject>): void {
    if (change.type !== 'deleted') return;
    const key = objectKey(change.object.metadata);
    const expected = this.#expected.get(key);
    if (expected === undefined) return;
    // That of an earlier object of the name says nothing of the one we made since.
    if (expected.uid === change.object.metadata.uid) this.#expected.delete(key);
  }

  /** A full list that was begun at `startedAt` reached the cache: it shows all that was written before. */
  listed(startedAt: number): void {
    for (const [key, expected] of this.#expected) if (expected.notedAt <= startedAt) this.#expected.delete(key);
  }
}

function hasPassed(cached: KubeObject | undefined, expected: Expectation): boolean {
  if (cached === undefined) return false;
  const order = compareResourceVersions(cached.metadata.resourceVersion, expected.resourceVersion);
  return order === undefined ? cached.metadata.resourceVersion === expected.resourceVersion : order >= 0;
}
