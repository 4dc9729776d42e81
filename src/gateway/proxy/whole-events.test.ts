import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { WholeEvents } from './whole-events.ts';

/** Cuts `bytes` at these positions. */
function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [0, ...positions.toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

function feed(chunks: readonly Buffer[]): { pieces: string[]; rest: string } {
  const events = new WholeEvents();
  const pieces = chunks.flatMap((chunk) => {
    const piece = events.push(chunk);
    return piece === undefined ? [] : [piece.toString('utf8')];
  });
  return { pieces, rest: events.rest().toString('utf8') };
}

const text = fc.string({ unit: fc.constantFrom('a', 'é', '語', '🚀', '"', ' ', ':') });
const event = fc
  .tuple(fc.constantFrom('\n', '\r\n'), fc.array(text, { minLength: 1, maxLength: 3 }))
  .map(([end, lines]) => lines.map((line) => `data: ${line}${end}`).join('') + end);

describe('however the network cuts a stream', () => {
  test('nothing is lost, and every piece ends where an event ends', () => {
    const streams = fc
      .tuple(fc.array(event, { maxLength: 5 }), fc.constantFrom('', 'data: half'))
      .map(([events, rest]) => ({ events, rest, bytes: Buffer.from(events.join('') + rest) }))
      .chain((stream) =>
        fc.record({ stream: fc.constant(stream), cuts: fc.array(fc.nat({ max: stream.bytes.length })) }),
      );
    fc.assert(
      fc.property(streams, ({ stream, cuts }) => {
        const { pieces, rest } = feed(cut(stream.bytes, cuts));
        expect(pieces.join('')).toBe(stream.events.join(''));
        expect(rest).toBe(stream.rest);
        const ends = new Set(stream.events.map((_, index) => stream.events.slice(0, index + 1).join('')));
        let sofar = '';
        for (const piece of pieces) expect(ends).toContain((sofar += piece));
      }),
      { numRuns: 1000 },
    );
  });

  test('byte by byte each event comes as soon as it is whole', () => {
    const bytes = Buffer.from('data: é\r\n\r\ndata: 1\n\n');
    expect(feed(cut(bytes, [...bytes.keys()])).pieces).toEqual(['data: é\r\n\r\n', 'data: 1\n\n']);
  });

  test('what is held is counted', () => {
    const events = new WholeEvents();
    events.push(Buffer.from('data: 1\n\ndata'));
    expect(events.heldBytes).toBe(4);
    events.push(Buffer.from(': 2'));
    expect(events.heldBytes).toBe(7);
    events.push(Buffer.from('\n\n'));
    expect(events.heldBytes).toBe(0);
  });
});
