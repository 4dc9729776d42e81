/** An informer whose changes the test makes. */
import { InformerCache, type Change } from '../../src/kube/informer-cache.ts';
import { objectKey, type KubeObject } from '../../src/kube/types.ts';

export class MemoryInformer<T extends KubeObject> {
  readonly #listeners: ((change: Change<T>) => void)[] = [];
  readonly #cache: InformerCache<T>;
  #version = 0;

  constructor(indexes: Record<string, (object: T) => string[]> = {}) {
    this.#cache = new InformerCache<T>(
      indexes,
      (change) => this.#listeners.forEach((listener) => listener(change)),
      fail,
    );
  }

  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener);
  }

  get(ref: { namespace?: string; name: string }): T | undefined {
    return this.#cache.get(objectKey(ref));
  }

  byIndex(index: string, key: string): T[] {
    return this.#cache.byIndex(index, key);
  }

  put(object: T): void {
    this.#cache.put(this.#versioned(object));
  }

  remove(object: T): void {
    this.#cache.remove(this.#versioned(object));
  }

  #versioned(object: T): T {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }
}

function fail(_key: string, error: unknown): void {
  throw error;
}
