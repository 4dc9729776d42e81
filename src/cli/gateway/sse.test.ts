import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { readEvents } from './sse.ts';

const TEXT =
  ': waiting for a replica\n\ndata: {"a":"é…😀"}\r\n\r\nevent: x\ndata:one\ndata: two\n\ndata: [DONE]\n\ndata: cut';
const EVENTS = [
  { comment: 'waiting for a replica' },
  { data: '{"a":"é…😀"}' },
  { data: 'one\ntwo' },
  { data: '[DONE]' },
];

test.each([1, 2, 3, 7, 1000])('events come out whole, however the bytes come: %i at a time', async (size) => {
  const bytes = Buffer.from(TEXT);
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  const events = [];
  for await (const event of readEvents(Readable.from(pieces))) events.push(event);
  expect(events).toEqual(EVENTS);
});
