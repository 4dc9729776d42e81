/**
 * A process that uses the store of its environment: `node store-child.ts COMMAND`. `hold` writes parts of a/held and never
 * ends, `fill` writes more than the disk holds, `measure` moves 200 MB each way; the last two print a line of JSON.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createStore } from '../../src/store/create-store.ts';
import { StoreFull, type ObjectStore } from '../../src/store/object-store.ts';
import { readStoreSettings } from '../../src/store/settings.ts';

const MEGABYTE = 1_000_000;

async function* megabytes(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(MEGABYTE, index % 251);
}

async function* endlessly(): AsyncGenerator<Buffer> {
  yield* megabytes(40);
  console.log('written');
  await delay(2 ** 30);
}

async function size(store: ObjectStore, key: string): Promise<number | undefined> {
  return (await store.head(key))?.bytes;
}

async function fill(store: ObjectStore): Promise<unknown> {
  await store.put('a/old', megabytes(1));
  const whole = (): Promise<number> => store.put('a/new', megabytes(100));
  const replacing = (): Promise<number> => store.put('a/old', megabytes(100));
  const refused = [];
  for (const attempt of [whole, replacing]) {
    refused.push(await attempt().then(String, (error: unknown) => error instanceof StoreFull || String(error)));
  }
  const left = { old: await size(store, 'a/old'), new: await size(store, 'a/new') };
  return { refused, ...left, after: await store.put('a/after', megabytes(2)) };
}

/** Returns by how many bytes the memory of this process grew while `work` ran. */
async function growth(work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  await work();
  clearInterval(sampling);
  return peak - before;
}

async function measure(store: ObjectStore): Promise<unknown> {
  // What is loaded with the first use is not what is measured.
  await store.put('a/warm', megabytes(20));
  const writing = await growth(async () => {
    await store.put('a/large', megabytes(200));
  });
  let read = 0;
  const reading = await growth(async () => {
    const found = await store.get('a/large');
    for await (const chunk of found?.content ?? []) {
      read += (chunk as Buffer).length;
      // A reader slower than the store: what it does not take must not pile up.
      if (read % (10 * MEGABYTE) < (chunk as Buffer).length) await delay(5);
    }
  });
  return { writing, reading, read };
}

const store = await createStore(readStoreSettings(process.env));
const command = process.argv[2];
if (command === 'hold') await store.put('a/held', endlessly());
else console.log(JSON.stringify(command === 'fill' ? await fill(store) : await measure(store)));
process.exit(0);
