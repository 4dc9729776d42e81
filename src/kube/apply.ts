/** Server-side apply of the fields we own, which sends nothing when nothing differs. */
import type { KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import { contentHash } from './hash.ts';
import { ownsAll } from './managed-fields.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, Resource } from './types.ts';
import { objectKey, resourceName } from './types.ts';

export interface ApplierOptions {
  client: Pick<KubeClient, 'apply'>;
  fieldManager: string;
  /** The annotation that holds the hash of what was last applied. */
  hashAnnotation: string;
}

const MAX_SHORTFALLS = 10_000;

/**
 * Applies intents. Whether a live object still is what was applied is decided without comparing values, which
 * defaulting, normalisation ("1000m" becomes "1") and webhooks change:
 * - its annotation holds the hash of the intent, so the intent is the one that was last applied, and
 * - managedFields say that we still own every field of the intent, so nobody has changed or removed one since.
 * Both are in the object, so a restarted process with an empty memory knows as much.
 *
 * An empty map in an intent claims the whole map: leave it out where others may add to it (`annotations: {}`), and
 * write it where it is the value (`emptyDir: {}`).
 */
export class Applier {
  readonly #options: ApplierOptions;
  /**
   * What was owned right after our apply, where that was not all of the intent (a webhook may drop a field).
   * Without it such an object would be applied at each pass.
   */
  readonly #shortfalls = new Map<string, string>();

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /**
   * Makes the live object carry the intent and returns it; `changed` is false when nothing was sent, or when the
   * server stored nothing new. `live` is what is known of the object, with its managedFields; undefined creates it.
   * Whether `live` is ours to write is the caller's business: one that it has not seen is not taken over.
   * Throws ApiError 409 when `live` was created, deleted or replaced meanwhile, with `ifUnchanged` also when it was changed: for
   * an intent that repeats what `live` says, which must not undo what came after it.
   */
  async apply<T extends KubeObject>(
    resource: Resource<T>,
    intent: T,
    live: T | undefined,
    ifUnchanged = false,
  ): Promise<{ object: T; changed: boolean }> {
    const { client, fieldManager } = this.#options;
    const hash = contentHash(intent);
    const marked = this.#withHash(intent, hash);
    if (live !== undefined && this.#isApplied(resource, marked, hash, live)) return { object: live, changed: false };
    const body = { ...marked, metadata: { ...marked.metadata, ...preconditions(live, ifUnchanged) } };
    // Without force, an object that somebody made meanwhile is refused where it differs.
    const object = await client.apply(resource, body, { fieldManager, force: live !== undefined });
    if (live === undefined) await this.#assertMadeByUs(resource, object);
    this.#remember(resource, marked, hash, object);
    return { object, changed: object.metadata.resourceVersion !== live?.metadata.resourceVersion };
  }

  /** Apply creates or changes, and cannot be told which: what others own a part of was there before. */
  async #assertMadeByUs<T extends KubeObject>(resource: Resource<T>, object: T): Promise<void> {
    const { client, fieldManager } = this.#options;
    const { name, namespace, uid, managedFields } = object.metadata;
    if ((managedFields ?? []).every(({ manager }) => manager === fieldManager)) return;
    // An apply of nothing takes back what we have just added.
    const nothing: KubeObject = { metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) } };
    await client.apply<KubeObject>(resource, nothing, { fieldManager });
    throw new ApiError(`${resource.kind} ${objectKey(object.metadata)} exists already`, {
      status: 409,
      reason: 'AlreadyExists',
    });
  }

  #withHash<T extends KubeObject>(intent: T, hash: string): T {
    const annotations = { ...intent.metadata.annotations, [this.#options.hashAnnotation]: hash };
    return { ...intent, metadata: { ...intent.metadata, annotations } };
  }

  #isApplied(resource: Resource, marked: KubeObject, hash: string, live: KubeObject): boolean {
    if (this.#carries(marked, hash, live)) return true;
    return this.#shortfalls.get(memoryKey(resource, live)) === this.#ownedState(live, hash);
  }

  #remember(resource: Resource, marked: KubeObject, hash: string, applied: KubeObject): void {
    const key = memoryKey(resource, applied);
    this.#shortfalls.delete(key);
    if (this.#carries(marked, hash, applied)) return;
    // Forgetting costs one apply that stores nothing, for each object.
    if (this.#shortfalls.size >= MAX_SHORTFALLS) this.#shortfalls.clear();
    this.#shortfalls.set(key, this.#ownedState(applied, hash));
  }

  #carries(marked: KubeObject, hash: string, object: KubeObject): boolean {
    const { fieldManager, hashAnnotation } = this.#options;
    return object.metadata.annotations?.[hashAnnotation] === hash && ownsAll(object, fieldManager, marked);
  }

  #ownedState(object: KubeObject, hash: string): string {
    const own = (entry: ManagedFieldsEntry): boolean => entry.manager === this.#options.fieldManager;
    const fields = (object.metadata.managedFields ?? []).filter(own).map((entry) => entry.fieldsV1);
    return contentHash([object.metadata.uid, hash, fields]);
  }
}

function preconditions(live: KubeObject | undefined, ifUnchanged: boolean): Partial<ObjectMeta> {
  const { uid, resourceVersion } = live?.metadata ?? {};
  return {
    ...(uid !== undefined && { uid }),
    ...(ifUnchanged && resourceVersion !== undefined && { resourceVersion }),
  };
}

function memoryKey(resource: Resource, object: KubeObject): string {
  return `${resourceName(resource)} ${objectKey(object.metadata)}`;
}
