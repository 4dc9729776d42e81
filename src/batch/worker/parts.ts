/** Results in the store, as they come: written a part at a time, and read again after a crash. */
import { Readable } from 'node:stream';
import { pause } from '../../kube/backoff.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { inputLines } from './input.ts';
import { persistently } from './persistence.ts';
import type { OnTrouble } from './persistence.ts';
import type { Result, ResultKind } from './result-lines.ts';

/** A part as a listing shows it. */
export interface Part {
  readonly kind: ResultKind;
  /** The order of names is the order of claims, and of writes within a claim. */
  readonly name: string;
}

export interface PartWriterOptions {
  readonly store: ObjectStore;
  /** Of the batch, with a slash at its end. */
  readonly prefix: string;
  /** Unique to the claim; its order is that of claims. */
  readonly claim: string;
  /** Nothing is written after it has aborted. */
  readonly signal: AbortSignal;
  readonly onTrouble: OnTrouble;
}

/** No more than ten parts a second: a listing of a day's work stays within what a folder or a bucket takes well. */
const BETWEEN_PARTS_MS = 100;

/** Most parts have one result: a bucket that answers one at a time would take an hour for 50,000 of them. */
const READ_TOGETHER = 32;
/** So 8 MiB are held at a time. */
const SMALL_BYTES = 256 * 1024;

interface Waiting {
  readonly result: Result;
  readonly durable: PromiseWithResolvers<void>;
}

/** Returns the name of a claim for `PartWriterOptions.claim`; `random` is 12 hexadecimal digits. */
export function claimName(wallMs: number, random: string): string {
  return `${String(wallMs).padStart(15, '0')}-${random}`;
}

/** Returns the key of a part. */
export function partKey(prefix: string, { kind, name }: Part): string {
  return `${prefix}${kind}/${name}`;
}

/** Writes results as a group commit: each part is what came in while the last one was written. */
export class PartWriter {
  readonly #options: PartWriterOptions;
  #waiting: Waiting[] = [];
  #count = 0;
  #writing = false;

  constructor(options: PartWriterOptions) {
    this.#options = options;
  }

  /** Resolves once the result outlives a crash. Rejects with the reason of the writer's signal. */
  async add(result: Result): Promise<void> {
    const durable = Promise.withResolvers<void>();
    this.#waiting.push({ result, durable });
    if (!this.#writing) void this.#writeAll();
    await durable.promise;
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    // All that finish within one turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const startedAt = performance.now();
      await this.#write(group);
      if (this.#waiting.length > 0) await this.#rest(performance.now() - startedAt);
    }
    this.#writing = false;
  }

  async #rest(tookMs: number): Promise<void> {
    await pause(Math.max(0, BETWEEN_PARTS_MS - tookMs), this.#options.signal);
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const name = `${this.#options.claim}-${String(this.#count).padStart(8, '0')}`;
    this.#count += 1;
    const put = async (kind: ResultKind): Promise<void> => {
      const members = group.filter(({ result }) => result.kind === kind);
      if (members.length === 0) return;
      const content = Buffer.concat(members.map(({ result }) => result.line));
      const { store, prefix, signal, onTrouble } = this.#options;
      try {
        const key = partKey(prefix, { kind, name });
        await persistently(async () => await store.put(key, content, { signal }), onTrouble, signal);
        for (const { durable } of members) durable.resolve();
      } catch (error) {
        for (const { durable } of members) durable.reject(error);
      }
    };
    await Promise.all([put('output'), put('error')]);
  }
}

/** Returns all parts of a batch in the order of their names. */
export async function listParts(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<Part[]> {
  const parts: Part[] = [];
  for (const kind of ['output', 'error'] as const) {
    for await (const { key } of store.list(`${prefix}${kind}/`, { signal })) {
      parts.push({ kind, name: key.slice(prefix.length + kind.length + 1) });
    }
  }
  return parts.sort((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
}

/** Yields the parts and the lines of each, without their ends. Throws Error where a part is gone. */
export async function* readParts<P extends Part>(
  store: ObjectStore,
  prefix: string,
  parts: readonly P[],
  signal: AbortSignal,
): AsyncGenerator<[part: P, lines: AsyncIterable<Buffer>]> {
  for (let start = 0; start < parts.length; start += READ_TOGETHER) {
    const together = parts.slice(start, start + READ_TOGETHER);
    const contents = await Promise.all(together.map(async (part) => await smallContent(store, prefix, part, signal)));
    for (const [index, part] of together.entries()) {
      yield [part, linesOf(contents[index] ?? (await contentOf(store, prefix, part, signal)).content)];
    }
  }
}

/** Returns the whole part; undefined where it is too large to be held beside others. */
async function smallContent(
  store: ObjectStore,
  prefix: string,
  part: Part,
  signal: AbortSignal,
): Promise<Readable | undefined> {
  const { bytes, content } = await contentOf(store, prefix, part, signal);
  if (bytes > SMALL_BYTES) {
    content.destroy();
    return undefined;
  }
  return Readable.from(await content.toArray({ signal }));
}

async function contentOf(
  store: ObjectStore,
  prefix: string,
  part: Part,
  signal: AbortSignal,
): Promise<{ bytes: number; content: Readable }> {
  const found = await store.get(partKey(prefix, part), { signal });
  if (found === undefined) throw new Error(`the part ${part.kind}/${part.name} is gone`);
  return found;
}

async function* linesOf(content: Readable): AsyncGenerator<Buffer> {
  for await (const { bytes } of inputLines(content, Number.POSITIVE_INFINITY)) if (bytes) yield bytes;
}
