/** What was used, in the store. */
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { usagePart, type UsagePart, type UsageReport } from '../../channel/usage-report.ts';
import type { Logger } from '../../kube/types.ts';
import { StoreUnavailable, type ObjectStore } from '../../store/object-store.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { latestParts } from './latest-parts.ts';
import { dayOf, partKey, usagePrefix } from './usage-keys.ts';

const READ_TOGETHER = 8;
/** Gateways replace what was listed all the time; what a try has read the next one need not. */
const MOST_TRIES = 5;

const STORED = z.object({ parts: z.array(usagePart) });

interface ReadRange {
  readonly fromMs: number;
  readonly toMs: number;
  /** Of one day. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

/** All methods throw StoreUnavailable as the store does. */
export class UsageRecords {
  readonly #store: ObjectStore;
  readonly #logger: Pick<Logger, 'error'>;

  constructor(store: ObjectStore, logger: Pick<Logger, 'error'>) {
    this.#store = store;
    this.#logger = logger;
  }

  /**
   * Keeps a report; durable once this has resolved. An object is never changed: whatever comes late or twice is the same
   * object, or an older revision that nobody looks at. Throws StoreFull.
   */
  async add({ namespace, replaces, ...part }: UsageReport): Promise<void> {
    await this.#store.put(partKey(namespace, part), encodeParts([part]));
    if (replaces === null || replaces >= part.revision) return;
    // What is left here is an older revision, which a merge removes.
    await this.#store.delete(partKey(namespace, { ...part, revision: replaces })).catch(() => undefined);
  }

  /**
   * Yields, day by day, the parts of the hours that begin from `fromMs` to before `toMs` (Unix milliseconds), each once: all
   * revisions of a part are of one day. Throws TooMuchUsage where the objects of a day have more than `mostBytes`, and the
   * signal's reason.
   */
  async *read(namespace: string, { fromMs, toMs, mostBytes, signal }: ReadRange): AsyncGenerator<UsagePart[]> {
    for (const [prefix, keys] of await this.#days(namespace, { fromMs, toMs, mostBytes, signal })) {
      const parts = await this.#readDay(prefix, keys, { mostBytes, signal });
      yield parts.filter(({ hour }) => hour * 1000 >= fromMs && hour * 1000 < toMs);
    }
  }

  /** Returns the parts of an object; undefined where there is none, or it has another form, which is logged. */
  async partsOf(key: string): Promise<UsagePart[] | undefined> {
    const found = await this.#store.get(key);
    if (found === undefined) return undefined;
    const content = await text(found.content);
    try {
      return STORED.parse(JSON.parse(content)).parts;
    } catch {
      this.#logger.error({ key }, 'an object of usage has another form than it was written in; it is left out');
      return [];
    }
  }

  /** Returns the keys of each day by what they begin with, in the order of time, by one listing. */
  async #days(namespace: string, { fromMs, toMs, mostBytes, signal }: ReadRange): Promise<Map<string, string[]>> {
    const days = new Map<string, string[]>();
    let bytes = 0;
    const prefix = usagePrefix(namespace);
    const last = `${prefix}${dayOf(toMs - 1)}/`;
    for await (const object of this.#store.list(prefix, { after: `${prefix}${dayOf(fromMs)}`, signal })) {
      if (object.key > last && !object.key.startsWith(last)) break;
      const day = object.key.slice(0, object.key.lastIndexOf('/') + 1);
      const keys = days.get(day) ?? [];
      bytes = keys.length === 0 ? object.bytes : bytes + object.bytes;
      if (bytes > mostBytes) throw new TooMuchUsage();
      keys.push(object.key);
      days.set(day, keys);
    }
    return days;
  }

  /** Where an object went away after it was listed the day is listed again. */
  async #readDay(
    prefix: string,
    listed: readonly string[],
    { mostBytes, signal }: Pick<ReadRange, 'mostBytes' | 'signal'>,
  ): Promise<UsagePart[]> {
    let keys = listed;
    let known: ReadonlyMap<string, UsagePart[]> = new Map();
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (tries > 0) keys = await this.#keysOf(prefix, { mostBytes, signal });
      const { isWhole, read } = await this.#readOnce(keys, known, signal);
      known = read;
      if (isWhole) return latestParts([...read.values()].flat());
    }
    throw new StoreUnavailable('What was used changes faster than it is read.');
  }

  async #keysOf(prefix: string, { mostBytes, signal }: Pick<ReadRange, 'mostBytes' | 'signal'>): Promise<string[]> {
    const keys: string[] = [];
    let bytes = 0;
    for await (const object of this.#store.list(prefix, { signal })) {
      bytes += object.bytes;
      if (bytes > mostBytes) throw new TooMuchUsage();
      keys.push(object.key);
    }
    return keys;
  }

  /** Returns the parts by object, which are not all where one went away after it was listed; no object changes. */
  async #readOnce(
    keys: readonly string[],
    known: ReadonlyMap<string, UsagePart[]>,
    signal: AbortSignal,
  ): Promise<{ isWhole: boolean; read: Map<string, UsagePart[]> }> {
    const read = new Map<string, UsagePart[]>();
    for (let start = 0; start < keys.length; start += READ_TOGETHER) {
      signal.throwIfAborted();
      const some = keys.slice(start, start + READ_TOGETHER);
      const parts = await Promise.all(some.map(async (key) => known.get(key) ?? (await this.partsOf(key))));
      for (const [index, key] of some.entries()) {
        const found = parts[index];
        if (found !== undefined) read.set(key, found);
      }
    }
    return { isWhole: read.size === keys.length, read };
  }
}

/** Returns the bytes of an object that holds these parts. */
export function encodeParts(parts: readonly UsagePart[]): Buffer {
  return Buffer.from(JSON.stringify({ parts }));
}
