import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { listParts, partKey, readParts } from './parts.ts';
import type { Part } from './parts.ts';

const PREFIX = 'batches/team-a/uid/';
const SIGNAL = new AbortController().signal;
const LARGE = 'x'.repeat(300_000);

/** Holds what `get` returns until `most` asked, or nobody else does; notes how many asked at a time. */
function slow(store: ObjectStore): { store: ObjectStore; together: () => number } {
  let [open, most] = [0, 0];
  return {
    together: () => most,
    store: {
      put: async (key, source, options) => await store.put(key, source, options),
      head: async (key) => await store.head(key),
      list: (prefix, options) => store.list(prefix, options),
      delete: async (key) => await store.delete(key),
      get: async (key, options) => {
        open += 1;
        most = Math.max(most, open);
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
        return await store.get(key, options);
      },
    },
  };
}

async function texts(store: ObjectStore, parts: readonly Part[]): Promise<string[][]> {
  const found: string[][] = [];
  for await (const [{ name }, lines] of readParts(store, PREFIX, parts, SIGNAL)) {
    found.push([name]);
    for await (const line of lines) found.at(-1)?.push(line.toString());
  }
  return found;
}

test('parts come in their order with their lines, small ones asked for 32 at a time', async () => {
  const memory = new MemoryStore();
  const wanted: string[][] = [];
  for (let index = 0; index < 100; index += 1) {
    const name = String(index).padStart(3, '0');
    const lines = index % 10 === 3 ? [LARGE, name] : [name, 'b'];
    wanted.push([name, ...lines]);
    await memory.put(partKey(PREFIX, { kind: 'output', name }), Readable.from([Buffer.from(`${lines.join('\n')}\n`)]));
  }
  const { store, together } = slow(memory);
  expect(await texts(store, await listParts(store, PREFIX, SIGNAL))).toEqual(wanted);
  expect(together()).toBe(32);
});

test('a part that is gone is told of', async () => {
  await expect(texts(new MemoryStore(), [{ kind: 'error', name: 'a' }])).rejects.toThrow('the part error/a is gone');
});
