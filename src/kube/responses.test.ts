import { describe, expect, test } from '@jest/globals';
import { ApiError, WatchFormatError } from './errors.ts';
import { decodeWatchEvent, retryAfterMs } from './responses.ts';

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  test.each([
    ['5', 5000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['999999999', 60_000],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%p is %p ms', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});

describe('a line of a watch', () => {
  test('with an object is that event', () => {
    const event = { type: 'ADDED', object: { metadata: { name: 'a', resourceVersion: '5' } } };
    expect(decodeWatchEvent(JSON.stringify(event))).toEqual(event);
  });

  test('with a bookmark needs no name', () => {
    const event = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '5' } } };
    expect(decodeWatchEvent(JSON.stringify(event))).toEqual(event);
  });

  test('with an ERROR throws its Status', () => {
    const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
    const decode = (): unknown => decodeWatchEvent(JSON.stringify({ type: 'ERROR', object: status }));
    expect(decode).toThrow(ApiError);
    expect(decode).toThrow('too old resource version');
  });

  test('with an ERROR that asks for an hour is retried after a minute', () => {
    const status = { kind: 'Status', code: 429, message: 'later', details: { retryAfterSeconds: 3600 } };
    const line = JSON.stringify({ type: 'ERROR', object: status });
    expect(() => decodeWatchEvent(line)).toThrow(expect.objectContaining({ retryAfterMs: 60_000 }));
  });

  test.each([
    'no JSON',
    'null',
    '[]',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":null}',
    '{"type":"ADDED","object":{"metadata":{}}}',
    '{"type":"RENAMED","object":{"metadata":{"name":"a"}}}',
  ])('%p is refused', (line) => {
    expect(() => decodeWatchEvent(line)).toThrow(WatchFormatError);
  });
});
