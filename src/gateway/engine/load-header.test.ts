import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LOAD_HEADER } from '../../../test/support/engine-replies.ts';
import type { EngineReading } from '../types.ts';
import { readLoadHeader } from './load-header.ts';

const totals = { at: 500, running: 4, deferred: 0, promptTokens: 10, generatedTokens: 20 };
const known: EngineReading = { at: 1_000, waiting: 1, kvCacheUsage: 0.1, totals };

test('says what waits and how full the cache is', () => {
  expect(readLoadHeader(LOAD_HEADER, undefined, 2_000)).toEqual({
    at: 2_000,
    waiting: 3,
    kvCacheUsage: 0.25,
    totals: undefined,
  });
  expect(readLoadHeader(LOAD_HEADER, known, 2_000)).toEqual({ at: 2_000, waiting: 3, kvCacheUsage: 0.25, totals });
});

test('is not parsed again while what is known is young', () => {
  expect(readLoadHeader(LOAD_HEADER, known, 1_200)).toBe(known);
});

test('requests that wait for something other than room are no want of capacity', () => {
  const deferring = { ...known, totals: { ...totals, deferred: 2 } };
  expect(readLoadHeader(LOAD_HEADER, deferring, 2_000)?.waiting).toBe(1);
  const more = { ...known, totals: { ...totals, deferred: 9 } };
  expect(readLoadHeader(LOAD_HEADER, more, 2_000)?.waiting).toBe(0);
});

function header(metrics: unknown): string {
  return `JSON ${JSON.stringify({ named_metrics: metrics })}`;
}

describe('says nothing', () => {
  const good = { num_requests_waiting: 3, kv_cache_usage_perc: 0.25 };
  test.each([
    ['in another format', 'TEXT named_metrics.num_requests_waiting=3'],
    ['cut off', LOAD_HEADER.slice(0, -5)],
    ['null', 'JSON null'],
    ['without metrics', 'JSON {}'],
    ['with one of the two', header({ num_requests_waiting: 3 })],
    ['with a text for a number', header({ ...good, num_requests_waiting: '3' })],
    ['with less than none', header({ ...good, num_requests_waiting: -1 })],
    ['with more than all', header({ ...good, kv_cache_usage_perc: 1.5 })],
    ['with infinitely many', 'JSON {"named_metrics": {"num_requests_waiting": 1e999, "kv_cache_usage_perc": 0}}'],
    ['of a book', header({ ...good, more: 'x'.repeat(2_000) })],
  ])('%s', (_, value) => {
    expect(readLoadHeader(value, known, 2_000)).toBe(known);
    expect(readLoadHeader(value, undefined, 2_000)).toBeUndefined();
  });

  test('that would end a request', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => readLoadHeader(`JSON ${text}`, known, 2_000)).not.toThrow();
      }),
    );
  });
});
