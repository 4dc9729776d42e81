import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { blocks, type Source } from './blocks.ts';
import { ObjectTooLarge } from './object-store.ts';

async function* pieces(contents: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* contents;
}

async function read(source: Source, size: number, maxBytes?: number): Promise<Buffer[]> {
  const found: Buffer[] = [];
  const buffer = Buffer.alloc(size);
  for await (const block of blocks(source, { buffer: () => buffer, maxBytes })) found.push(Buffer.from(block));
  return found;
}

test('however a source is cut, its blocks are full but for the last, and hold it all', async () => {
  const source = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(source, fc.integer({ min: 1, max: 16 }), async (contents, size) => {
      const found = await read(pieces(contents), size);
      expect(Buffer.concat(found)).toEqual(Buffer.concat(contents));
      expect(found.slice(0, -1).every(({ length }) => length === size)).toBe(true);
      expect(found.every(({ length }) => length > 0)).toBe(true);
    }),
  );
});

test('a source of just the bytes that are allowed is read, one more is refused', async () => {
  expect(await read(Buffer.from('abcde'), 2, 5)).toHaveLength(3);
  await expect(read(Buffer.from('abcdef'), 2, 5)).rejects.toThrow(ObjectTooLarge);
});

test('a source is read no further than its blocks are asked for', async () => {
  let given = 0;
  async function* source(): AsyncGenerator<Buffer> {
    for (;;) {
      given += 1;
      yield Buffer.from('ab');
    }
  }
  const reading = blocks(source(), { buffer: () => Buffer.alloc(4) });
  await reading.next();
  expect(given).toBe(2);
  await reading.next();
  expect(given).toBe(4);
  await reading.return(undefined);
});

test('a source that aborts its own reading, and then says nothing, is left', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.from('ab');
    controller.abort(reason);
    await new Promise(() => undefined);
  }
  const reading = blocks(source(), { buffer: () => Buffer.alloc(4), signal: controller.signal });
  await expect(reading.next()).rejects.toBe(reason);
});
