import { expect, test } from '@jest/globals';
import { EventParser, readEvents } from './sse.ts';

test('an event has its name and data', () => {
  expect(new EventParser().push('event: list\ndata: {"a":1}\n\n')).toEqual([{ name: 'list', data: '{"a":1}' }]);
});

test('without a name it is a message', () => {
  expect(new EventParser().push('data: [DONE]\n\n')).toEqual([{ name: 'message', data: '[DONE]' }]);
});

test('comments and events without data are nothing', () => {
  expect(new EventParser().push(': still here\n\nevent: list\n\n')).toEqual([]);
});

test('lines of data are joined, of a space after the colon only the first is dropped', () => {
  expect(new EventParser().push('data: one\r\ndata:  two\r\n\r\n')).toEqual([{ name: 'message', data: 'one\n two' }]);
});

test('pieces may end anywhere', () => {
  const text = 'event: a\r\ndata: 1\r\n\r\n: x\n\nevent: b\ndata: 2\n\n';
  for (let size = 1; size < text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let start = 0; start < text.length; start += size)
      events.push(...parser.push(text.slice(start, start + size)));
    expect(events).toEqual([
      { name: 'a', data: '1' },
      { name: 'b', data: '2' },
    ]);
  }
});

test('a name is of one event only', () => {
  expect(new EventParser().push('event: a\ndata: 1\n\ndata: 2\n\n')[1]).toEqual({ name: 'message', data: '2' });
});

test('a character may be cut in two', async () => {
  const bytes = new TextEncoder().encode('data: é\n\n');
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  let pieces = 0;
  const events = [];
  for await (const event of readEvents(body, () => pieces++)) events.push(event);
  expect(events).toEqual([{ name: 'message', data: 'é' }]);
  expect(pieces).toBeGreaterThan(1);
});
