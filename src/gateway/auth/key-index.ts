/** The APIKeys by keyId, kept up to date with their informer. */
import type { APIKey } from '../../api/generated/api-key.ts';
import type { Informer } from '../../kube/informer.ts';
import { objectKey } from '../../kube/types.ts';

/**
 * So many keys of one keyId are tried, the oldest ones: who may create keys in one namespace could otherwise make each
 * request with another's keyId expensive, or that key unusable.
 */
const MAX_KEYS_OF_ID = 16;

export class KeyIndex {
  /** For each keyId the keys by `namespace/name`, oldest first. */
  readonly #byId = new Map<string, Map<string, APIKey>>();

  /** Follows the informer from now on: call it before that is started. */
  constructor(informer: Pick<Informer<APIKey>, 'onChange'>) {
    informer.onChange(({ type, object, previous }) => {
      const moved = previous !== undefined && previous.spec.keyId !== object.spec.keyId;
      if (moved) this.#remove(previous);
      if (type === 'deleted') this.#remove(object);
      else this.#put(object);
    });
  }

  /** Returns the keys that a request with this keyId may be of. */
  find(keyId: string): APIKey[] {
    return this.#byId.get(keyId)?.values().take(MAX_KEYS_OF_ID).toArray() ?? [];
  }

  #put(key: APIKey): void {
    const keys = this.#byId.get(key.spec.keyId) ?? new Map<string, APIKey>();
    const isNew = !keys.has(objectKey(key.metadata));
    keys.set(objectKey(key.metadata), key);
    this.#byId.set(key.spec.keyId, isNew && keys.size > 1 ? oldestFirst(keys) : keys);
  }

  #remove(key: APIKey): void {
    const keys = this.#byId.get(key.spec.keyId);
    keys?.delete(objectKey(key.metadata));
    if (keys?.size === 0) this.#byId.delete(key.spec.keyId);
  }
}

function oldestFirst(keys: ReadonlyMap<string, APIKey>): Map<string, APIKey> {
  return new Map([...keys].toSorted(([, a], [, b]) => createdAt(a) - createdAt(b)));
}

function createdAt({ metadata }: APIKey): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}
