import { describe, expect, test } from '@jest/globals';
import { array, assert, asyncProperty, integer, string } from 'fast-check';
import { WatchFormatError } from './errors.ts';
import { splitLines } from './lines.ts';

async function* chunksOf(bytes: Buffer, sizes: number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (let index = 0; start < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

async function split(text: string, sizes: number[], maxBytes?: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of splitLines(
    chunksOf(Buffer.from(text), sizes),
    maxBytes === undefined ? undefined : () => maxBytes,
  ))
    lines.push(line);
  return lines;
}

describe('lines of a byte stream', () => {
  test('are the same however the bytes are cut, also within a character', async () => {
    const line = string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\n'));
    const sizes = array(integer({ min: 1, max: 9 }), { minLength: 1 });
    await assert(
      asyncProperty(array(line), sizes, async (lines, cuts) => {
        // Lone surrogates have no bytes of their own.
        const wellFormed = lines.map((text) => text.toWellFormed());
        expect(await split(wellFormed.map((text) => `${text}\n`).join(''), cuts)).toEqual(wellFormed);
      }),
    );
  });

  test('that are empty are skipped', async () => {
    expect(await split('a\n\n\nb\n', [2])).toEqual(['a', 'b']);
  });

  test('a stream that ends within a line is an error', async () => {
    await expect(split('a\nb', [1])).rejects.toThrow(WatchFormatError);
  });

  test('a line beyond the limit is an error before it is complete', async () => {
    await expect(split('12345\n', [1], 5)).resolves.toEqual(['12345']);
    await expect(split('123456', [1], 5)).rejects.toThrow('longer than 5 bytes');
  });
});
