/** Full lists of one kind, in pages, of which old ones are not believed. */
import type { KubeClient } from './client.ts';
import { isGone } from './errors.ts';
import type { FullList } from './informer-cache.ts';
import type { KubeMetrics } from './metrics.ts';
import { Streak } from './streak.ts';
import { compareResourceVersions, objectKey, resourceName } from './types.ts';
import type { KubeObject, Logger, Resource } from './types.ts';

export interface ListerOptions<T extends KubeObject> {
  client: Pick<KubeClient, 'list'>;
  resource: Resource<T>;
  scope: { namespace?: string; labelSelector?: string };
  /** Returns undefined for an object that cannot be read. */
  decode: (raw: T) => T | undefined;
  pageSize: number;
  /** For how long lists must be older than what was seen until they are believed. */
  staleListPatienceMs: number;
  metrics: KubeMetrics | undefined;
  logger: Logger;
}

/** So many lists in a row must be old: one or two are a lagging server's. */
const MIN_STALE_LISTS = 3;

/** The list is older than what was seen before. */
export class StaleListError extends Error {
  override name = 'StaleListError';
}

export interface ReadList<T extends KubeObject> extends FullList<T> {
  /** The list is older than what was seen and is right all the same. */
  restored: boolean;
}

export class Lister<T extends KubeObject> {
  readonly #options: ListerOptions<T>;
  readonly #name: string;
  readonly #stale: Streak;

  constructor(options: ListerOptions<T>) {
    this.#options = options;
    this.#name = resourceName(options.resource);
    this.#stale = new Streak(MIN_STALE_LISTS, options.staleListPatienceMs);
  }

  /**
   * Returns all objects as of one resourceVersion, which is at least `newest`; throws StaleListError where it is older.
   */
  async list(reason: string, newest: string | undefined, signal: AbortSignal): Promise<FullList<T>> {
    const list = await this.#read(reason, signal);
    if (this.#isStale(list, newest)) throw staleListError(list, newest);
    this.#stale.end();
    return list;
  }

  /**
   * As `list`, for a caller that has nothing else to go by and tries until it succeeds: when the lists stay old for the
   * patience, the server's history has gone back, and the last one is `restored`.
   */
  async refill(reason: string, newest: string | undefined, signal: AbortSignal): Promise<ReadList<T>> {
    let list: FullList<T>;
    try {
      list = await this.#read(reason, signal);
    } catch (error) {
      this.#stale.end();
      throw error;
    }
    const stale = this.#isStale(list, newest);
    if (stale && !this.#stale.add()) throw staleListError(list, newest);
    this.#stale.end();
    if (stale) {
      this.#options.logger.warn({ resource: this.#name }, 'the history of the API server went back; taking its state');
    }
    return { ...list, restored: stale };
  }

  async #read(reason: string, signal: AbortSignal): Promise<FullList<T>> {
    this.#options.metrics?.relists.inc({ resource: this.#name, reason });
    try {
      return await this.#pages(this.#options.pageSize, signal);
    } catch (error) {
      if (!isGone(error)) throw error;
      // The continue token expired: the list takes longer than the history is kept. One page needs no token.
      return await this.#pages(undefined, signal);
    }
  }

  #isStale(list: FullList<T>, newest: string | undefined): boolean {
    const stale = (compareResourceVersions(list.resourceVersion, newest) ?? 0) < 0;
    if (stale) this.#options.metrics?.staleLists.inc({ resource: this.#name });
    return stale;
  }

  async #pages(pageSize: number | undefined, signal: AbortSignal): Promise<FullList<T>> {
    const { client, resource, scope, decode } = this.#options;
    const items = new Map<string, T>();
    const unreadable = new Set<string>();
    let continueToken: string | undefined;
    for (;;) {
      // No resourceVersion: the most recent state, never one from a cache that lags.
      const page = await client.list(resource, {
        ...scope,
        ...(pageSize === undefined ? {} : { limit: pageSize }),
        ...(continueToken === undefined ? {} : { continueToken }),
        signal,
      });
      for (const raw of page.items) {
        const object = decode(raw);
        if (object === undefined) unreadable.add(objectKey(raw.metadata));
        else items.set(objectKey(object.metadata), object);
      }
      if (page.continueToken === undefined) return { items, unreadable, resourceVersion: page.resourceVersion };
      continueToken = page.continueToken;
    }
  }
}

function staleListError(list: FullList<KubeObject>, newest: string | undefined): StaleListError {
  return new StaleListError(`a list as of ${list.resourceVersion} is older than what was seen at ${newest}`);
}
