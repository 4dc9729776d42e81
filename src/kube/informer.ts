/** A cache of one kind, kept by LIST and WATCH, that survives every way in which these end. */
import { unlessAborted } from './abortable.ts';
import { pause, retryDelay } from './backoff.ts';
import type { BackoffLimits } from './backoff.ts';
import { describeError, isGone, isNotFound } from './errors.ts';
import { InformerCache } from './informer-cache.ts';
import type { Change } from './informer-cache.ts';
import type { InformerOptions } from './informer-options.ts';
import { IdleWatchdog } from './idle-watchdog.ts';
import { Lister, StaleListError } from './lister.ts';
import { OwnWrites } from './own-writes.ts';
import { Streak } from './streak.ts';
import { compareResourceVersions, objectKey, resourceName } from './types.ts';
import type { KubeObject, ObjectReference, WatchEvent } from './types.ts';
import { MissedError, watchEndOf } from './watch-end.ts';
import type { WatchEnd } from './watch-end.ts';

export type { Change } from './informer-cache.ts';
export type { InformerOptions } from './informer-options.ts';

const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 800, maxMs: 30_000 };
/** A watch that was open for this long counts as healthy: the backoff begins anew. */
const HEALTHY_AFTER_MS = 10_000;
/** A kind that so many lists in a row, over so long, do not find has been removed with all its objects. */
const KIND_GONE = { lists: 3, afterMs: 10_000 };

export class Informer<T extends KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #name: string;
  readonly #backoff: BackoffLimits;
  readonly #scope: { namespace?: string; labelSelector?: string };
  readonly #cache: InformerCache<T>;
  readonly #ownWrites: OwnWrites;
  readonly #lister: Lister<T>;
  readonly #kindGone = new Streak(KIND_GONE.lists, KIND_GONE.afterMs);
  readonly #listeners: ((change: Change<T>) => void)[] = [];
  readonly #stop = new AbortController();
  readonly #firstSync = Promise.withResolvers<void>();
  #running: Promise<void>[] = [];
  #synced = false;
  /** Where the next watch begins; undefined asks for a list first. */
  #position: string | undefined;
  /** That of the present watch. */
  #watchdog: IdleWatchdog | undefined;
  /** When the server accepted the present watch, or the last one. */
  #openedAt: number | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#name = resourceName(options.resource);
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    this.#cache = new InformerCache<T>(
      options.indexes ?? {},
      (change) => this.#emit(change),
      (key, error) => this.#objectError(key, error, 'an object could not be indexed'),
    );
    this.#ownWrites = new OwnWrites(this.#cache);
    const { namespace, labelSelector } = options;
    this.#scope = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
    this.#lister = new Lister<T>({
      client: options.client,
      resource: options.resource,
      scope: this.#scope,
      decode: (raw) => this.#decode(raw),
      pageSize: options.pageSize ?? 500,
      staleListPatienceMs: options.staleListPatienceMs ?? 60_000,
      metrics: options.metrics,
      logger: options.logger,
    });
  }

  /** `listener` is called for each change, synchronously and in order. What it throws is logged and counted. */
  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener);
  }

  start(): void {
    if (this.#running.length > 0) return;
    this.#running = [this.#watchLoop(), this.#relistLoop()];
  }

  /** Ends list and watch; the cache stays readable. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the informer was stopped'));
    await Promise.all(this.#running);
  }

  /** True once the cache has held a full list. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** Resolves when the cache holds the first full list; rejects with the reason when `signal` aborts. */
  async synced(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return await this.#firstSync.promise;
    await unlessAborted(this.#firstSync.promise, signal);
  }

  /** Returns the cached object. What the cache returns is shared: never change it. */
  get(ref: ObjectReference): T | undefined {
    return this.#cache.get(objectKey(ref));
  }

  /** Returns all cached objects, or those of one namespace. */
  list(namespace?: string): T[] {
    return this.#cache.list(namespace);
  }

  /** Returns the cached objects for which the index function gave `key`. Throws an Error for an unknown index. */
  byIndex(index: string, key: string): T[] {
    return this.#cache.byIndex(index, key);
  }

  /** Call it with what the server returned for our create, update, apply or patch: the cache may not know it yet. */
  noteWrite(object: KubeObject): void {
    this.#ownWrites.noteWrite(object);
  }

  /** True while the cache has not passed our last write of this object, for at most 30 s. */
  isBehind(ref: ObjectReference): boolean {
    return this.#ownWrites.isBehind(ref);
  }

  #emit(change: Change<T>): void {
    this.#ownWrites.observe(change);
    const { metrics, logger } = this.#options;
    metrics?.cachedObjects.set({ resource: this.#name }, this.#cache.size);
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        metrics?.listenerErrors.inc({ resource: this.#name });
        const key = objectKey(change.object.metadata);
        logger.error({ resource: this.#name, key, error: describeError(error) }, 'a listener of the cache threw');
      }
    }
  }

  #objectError(key: string, error: unknown, message: string): void {
    this.#options.metrics?.objectErrors.inc({ resource: this.#name });
    this.#options.logger.error({ resource: this.#name, key, error: describeError(error) }, message);
  }

  async #watchLoop(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#openedAt = undefined;
      const end = await this.#listAndWatch();
      if (this.#stop.signal.aborted) return;
      const healthy = performance.now() - (this.#openedAt ?? Infinity) >= HEALTHY_AFTER_MS;
      if (healthy) failures = 0;
      this.#options.metrics?.watchRestarts.inc({ resource: this.#name, reason: end.label });
      if (healthy && end.label === 'closed') continue;
      await pause(retryDelay(failures, this.#backoff, end.retryAfterMs), this.#stop.signal);
      failures += 1;
    }
  }

  /** Lists if that is needed, then watches; returns why it ended. */
  async #listAndWatch(): Promise<WatchEnd> {
    try {
      this.#position ??= await this.#refill();
      await this.#watch(this.#position);
      return { label: 'closed' };
    } catch (error) {
      // 404: the kind itself is gone (its definition was deleted); what comes back later is another history.
      if (isGone(error) || isNotFound(error)) this.#position = undefined;
      const end = watchEndOf(error);
      if (!this.#stop.signal.aborted) {
        const fields = { resource: this.#name, reason: end.label, error: describeError(error) };
        this.#options.logger.warn(fields, 'watch ended');
      }
      return end;
    }
  }

  async #watch(position: string): Promise<void> {
    const watchdog = new IdleWatchdog(this.#options.idleTimeoutMs ?? 150_000, this.#stop.signal);
    this.#watchdog = watchdog;
    try {
      const events = this.#options.client.watch(this.#options.resource, {
        ...this.#scope,
        resourceVersion: position,
        // 5 to 10 minutes, so that watches of many processes do not end together.
        timeoutSeconds: Math.round(300 * (1 + Math.random())),
        signal: watchdog.signal,
        onOpen: () => {
          this.#openedAt = performance.now();
        },
      });
      for await (const event of events) {
        // What was read before the watch was ended must not set a position again.
        watchdog.signal.throwIfAborted();
        watchdog.reset();
        this.#onEvent(event);
      }
    } finally {
      this.#watchdog = undefined;
      watchdog.stop();
    }
  }

  #onEvent(event: WatchEvent<T>): void {
    const version = event.object.metadata.resourceVersion;
    if (event.type === 'DELETED') this.#cache.remove(event.object);
    else if (event.type !== 'BOOKMARK') {
      const object = this.#decode(event.object);
      if (object !== undefined) this.#cache.put(object);
    }
    // Repeated or reordered events must not move the position back.
    const order = compareResourceVersions(version, this.#position);
    if (version !== undefined && (order === undefined || order > 0)) this.#position = version;
  }

  /** Returns undefined for an object that cannot be read: it must not end the watch of all others. */
  #decode(raw: T): T | undefined {
    const { group, version, kind } = this.#options.resource;
    try {
      const object = this.#options.decode(raw);
      // Items of a list have neither, objects of a watch have both: make them alike.
      return { ...object, apiVersion: group === '' ? version : `${group}/${version}`, kind };
    } catch (error) {
      this.#objectError(objectKey(raw.metadata), error, 'an object could not be read; its state before is kept');
      return undefined;
    }
  }

  async #relistLoop(): Promise<void> {
    const interval = this.#options.relistIntervalMs ?? 600_000;
    let failures = 0;
    let retryMs: number | undefined;
    while (!this.#stop.signal.aborted) {
      await pause(retryMs ?? interval * (0.8 + 0.4 * Math.random()), this.#stop.signal);
      retryMs = undefined;
      // Without a position the watch is about to begin with a list, which finds all that was missed.
      if (this.#stop.signal.aborted || this.#position === undefined) continue;
      try {
        await this.#findMissed();
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        retryMs = retryDelay(failures, this.#backoff, watchEndOf(error).retryAfterMs);
        failures += 1;
        this.#options.logger.warn({ resource: this.#name, error: describeError(error) }, 'periodic list failed');
      }
    }
  }

  /**
   * Compares a full list with the cache. What the watch does not deliver within the patience was missed. The list itself
   * is not taken: the watch ends, and begins anew with a list. So nothing is taken beside a watch that delivers.
   */
  async #findMissed(): Promise<void> {
    const startedAt = performance.now();
    const endComparison = this.#cache.beginComparison();
    try {
      const list = await this.#lister.list('periodic', this.#cache.newestVersion, this.#stop.signal);
      if (this.#cache.differences(list) > 0) await pause(this.#options.missedAfterMs ?? 2000, this.#stop.signal);
      const missed = this.#stop.signal.aborted ? 0 : this.#cache.differences(list);
      if (missed === 0) {
        this.#ownWrites.listed(startedAt);
        return;
      }
      this.#options.metrics?.watchMissed.inc({ resource: this.#name }, missed);
      this.#listAgain(new MissedError(`the watch had missed changes of ${missed} objects`));
    } catch (error) {
      if (!(error instanceof StaleListError)) throw error;
      this.#listAgain(error);
    } finally {
      endComparison();
    }
  }

  /** Ends the present watch, if there is one; the next begins with a list. */
  #listAgain(reason: Error): void {
    this.#position = undefined;
    this.#watchdog?.abort(reason);
  }

  /** Fills the cache from a full list and returns the position from which to watch. */
  async #refill(): Promise<string> {
    const startedAt = performance.now();
    const reason = this.#synced ? 'resync' : 'initial';
    try {
      const list = await this.#lister.refill(reason, this.#cache.newestVersion, this.#stop.signal);
      this.#kindGone.end();
      if (list.restored) this.#cache.replace(list);
      else this.#cache.merge(list);
      this.#ownWrites.listed(startedAt);
      this.#synced = true;
      this.#firstSync.resolve();
      return list.resourceVersion;
    } catch (error) {
      if (!isNotFound(error)) this.#kindGone.end();
      else if (this.#kindGone.add()) this.#cache.clear();
      throw error;
    }
  }
}
