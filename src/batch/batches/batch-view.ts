/** The InferenceBatches as this process knows them, its own writes included before the watch has brought them. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import { inferenceBatches } from '../../api/resources.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Informer } from '../../kube/informer.ts';
import { compareResourceVersions, objectKey } from '../../kube/types.ts';
import { isTimedId, timeOf } from '../timed-ids.ts';

/** A watch that has not brought a write by then has missed it or the object is gone; the next list decides. */
const FORGET_MS = 30_000;
/** A batch that another process made may be known only later, and its clock be off by as much. */
const ASKED_FOR_MS = 60_000;

export class BatchView {
  readonly #informer: Pick<Informer<InferenceBatch>, 'get' | 'list' | 'onChange'>;
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #now: () => number;
  /** Written by this process, and not in the cache yet. */
  readonly #written = new Map<string, { batch: InferenceBatch; atMs: number }>();

  /** `now` is in Unix milliseconds. */
  constructor(
    informer: Pick<Informer<InferenceBatch>, 'get' | 'list' | 'onChange'>,
    client: Pick<KubeClient, 'get'>,
    now: () => number = Date.now,
  ) {
    this.#informer = informer;
    this.#client = client;
    this.#now = now;
    informer.onChange(({ type, object }) => {
      const key = objectKey(object.metadata);
      const written = this.#written.get(key);
      if (written === undefined) return;
      if (type === 'deleted' || !isOlder(object, written.batch)) this.#written.delete(key);
    });
  }

  /** Call it with what the API server returned for a write. */
  note(batch: InferenceBatch): void {
    const key = objectKey(batch.metadata);
    const cached = this.#informer.get(batch.metadata);
    if (cached === undefined || isOlder(cached, batch)) this.#written.set(key, { batch, atMs: performance.now() });
  }

  /**
   * Returns the batch. The API server is asked only for one that its name says the API has just made: whoever makes up ids
   * costs it nothing. Throws as KubeClient.get.
   */
  async find(namespace: string, name: string): Promise<InferenceBatch | undefined> {
    const ref = { namespace, name };
    this.#forgetOld();
    const known = this.#written.get(objectKey(ref))?.batch ?? this.#informer.get(ref);
    if (known !== undefined || !this.#isNew(name)) return known;
    return await this.#client.get(inferenceBatches, ref);
  }

  /** Returns all batches of the namespace. */
  list(namespace: string): InferenceBatch[] {
    this.#forgetOld();
    const batches = new Map(this.#informer.list(namespace).map((batch) => [batch.metadata.name, batch]));
    for (const { batch } of this.#written.values()) {
      if (batch.metadata.namespace === namespace) batches.set(batch.metadata.name, batch);
    }
    return [...batches.values()];
  }

  #isNew(name: string): boolean {
    return isTimedId(name) && Math.abs(this.#now() - timeOf(name)) <= ASKED_FOR_MS;
  }

  #forgetOld(): void {
    const oldest = performance.now() - FORGET_MS;
    for (const [key, { atMs }] of this.#written) if (atMs < oldest) this.#written.delete(key);
  }
}

function isOlder(a: InferenceBatch, b: InferenceBatch): boolean {
  return (compareResourceVersions(a.metadata.resourceVersion, b.metadata.resourceVersion) ?? 0) < 0;
}
