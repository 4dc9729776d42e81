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
   * Returns the parts of the hours that begin from `fromMs` to before `toMs` (Unix milliseconds), each once. Throws
   * TooMuchUsage where the objects of these days have more than `mostBytes`.
   */
  async read(
    namespace: string,
    { fromMs, toMs, mostBytes }: { fromMs: number; toMs: number; mostBytes: number },
  ): Promise<UsagePart[]> {
    let known: ReadonlyMap<string, UsagePart[]> = new Map();
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { isWhole, read } = await this.#readOnce(namespace, { fromMs, toMs, mostBytes }, known);
      known = read;
      if (isWhole) {
        return latestParts([...read.values()].flat()).filter(({ hour }) => hour * 1000 >= fromMs && hour * 1000 < toMs);
      }
    }
    throw new StoreUnavailable('What was used changes faster than it is read.');
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

  /** Returns the parts by object, which are not all where one went away after it was listed; no object changes. */
  async #readOnce(
    namespace: string,
    { fromMs, toMs, mostBytes }: { fromMs: number; toMs: number; mostBytes: number },
    known: ReadonlyMap<string, UsagePart[]>,
  ): Promise<{ isWhole: boolean; read: Map<string, UsagePart[]> }> {
    const keys: string[] = [];
    let bytes = 0;
    const prefix = usagePrefix(namespace);
    const last = `${prefix}${dayOf(toMs - 1)}/`;
    for await (const object of this.#store.list(prefix, { after: `${prefix}${dayOf(fromMs)}` })) {
      if (object.key > last && !object.key.startsWith(last)) break;
      bytes += object.bytes;
      if (bytes > mostBytes) throw new TooMuchUsage();
      keys.push(object.key);
    }
    const read = new Map<string, UsagePart[]>();
    for (let start = 0; start < keys.length; start += READ_TOGETHER) {
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
