import { expect, test } from '@jest/globals';
import { array, assert, asyncProperty, boolean, constantFrom, integer } from 'fast-check';
import { inputLines } from './input.ts';

async function lines(content: Buffer, chunkBytes: number, maxBytes = 1000) {
  const found: { number: number; text: string | undefined; at: string }[] = [];
  for await (const { number, offset, length, bytes } of inputLines(pieces(content, chunkBytes), maxBytes)) {
    found.push({ number, text: bytes?.toString('utf8'), at: content.toString('utf8', offset, offset + length) });
  }
  return found;
}

async function* pieces(content: Buffer, bytes: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < content.length; start += bytes) yield content.subarray(start, start + bytes);
}

test('lines are those of the text, at the offsets where they stand, however it comes in pieces', async () => {
  const part = constantFrom('a', 'é', '\n', '\r\n', '\r', ' ', '\u{1F600}', '\uFEFF');
  await assert(
    asyncProperty(array(part), boolean(), integer({ min: 1, max: 7 }), async (parts, marked, chunkBytes) => {
      const text = parts.join('').replace(/^\uFEFF+/, '');
      const wanted = text.split('\n').flatMap((line, index) => {
        const cut = line.replace(/\r$/, '');
        return /^[ \t\r]*$/.test(cut) ? [] : [{ number: index + 1, text: cut, at: cut }];
      });
      expect(await lines(Buffer.from((marked ? '\uFEFF' : '') + text), chunkBytes)).toEqual(wanted);
    }),
  );
});

test('a line that is too long is told of and not kept, and the next is read', async () => {
  const content = Buffer.from(`${'x'.repeat(11)}\n${'y'.repeat(10)}\r\nz`);
  expect(await lines(content, 4, 10)).toEqual([
    { number: 1, text: undefined, at: 'x'.repeat(11) },
    { number: 2, text: 'y'.repeat(10), at: 'y'.repeat(10) },
    { number: 3, text: 'z', at: 'z' },
  ]);
});
