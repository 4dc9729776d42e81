import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { BUCKETS } from './histogram.ts';
import { encode, parseHeartbeat, parseHello, parseReport, type DeploymentReport, type Report } from './messages.ts';

const entry: DeploymentReport = {
  uid: 'uid-chat',
  arrivals: 12,
  completed: 9,
  failed: 1,
  cancelled: 0,
  latency: new Map([
    [3, 4],
    [120, 5],
  ]),
  firstByte: new Map([[1, 9]]),
  held: 2,
  oldestHeldMs: 812.5,
  ages: new Map([[140, 2]]),
  replicas: [
    {
      podUid: 'pod-1',
      inFlight: 2,
      batchInFlight: 1,
      tokens: 340,
      oldestMs: 900,
      draining: true,
      engine: {
        ageMs: 120.5,
        waiting: 1,
        kvCacheUsage: 0.25,
        totals: { ageMs: 2_000, running: 2, promptTokens: 5_000, generatedTokens: 900 },
      },
    },
    { podUid: 'pod-2', inFlight: 1, tokens: 20, oldestMs: 10, draining: false },
  ],
};
const report: Report = { type: 'report', more: false, deployments: [entry] };

test('a report arrives as it was sent', () => {
  const line = encode(report);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(parseReport(line)).toEqual(report);
});

test('what an engine said but its counters is enough', () => {
  const engine = { ageMs: 0, waiting: 0, kvCacheUsage: 1 };
  const replicas = [{ podUid: 'pod-1', inFlight: 0, tokens: 0, oldestMs: 0, draining: false, engine }];
  const without: Report = { ...report, deployments: [{ ...entry, replicas }] };
  expect(parseReport(encode(without))).toEqual(without);
});

test('what a newer peer says beyond this is dropped', () => {
  expect(parseReport(JSON.stringify({ type: 'report', more: false, deployments: [], colour: 'red' }))).toEqual({
    type: 'report',
    more: false,
    deployments: [],
  });
});

describe('refused', () => {
  const raw = JSON.parse(encode(report)) as { deployments: [Record<string, unknown>] };
  const changed = (fields: Record<string, unknown>): string =>
    JSON.stringify({ type: 'report', more: false, deployments: [{ ...raw.deployments[0], ...fields }] });

  const engine = (fields: Record<string, unknown>): string =>
    changed({ replicas: [{ ...entry.replicas[0], engine: { ...entry.replicas[0]?.engine, ...fields } }] });

  test.each([
    ['no JSON', '{"type":"report"'],
    ['another type', JSON.stringify({ type: 'heartbeat' })],
    ['null', 'null'],
    ['a negative count', changed({ arrivals: -1 })],
    ['a fraction of a request', changed({ held: 0.5 })],
    ['a count beyond what numbers hold', changed({ arrivals: 2 ** 60 })],
    ['a bucket that there is not', changed({ latency: [[BUCKETS, 1]] })],
    ['more buckets than there are', changed({ latency: Array.from({ length: BUCKETS + 1 }, () => [0, 1]) })],
    ['a duration of years', changed({ oldestHeldMs: 1e12 })],
    ['a UID of a book', changed({ uid: 'x'.repeat(100) })],
    ['too many replicas', changed({ replicas: Array.from({ length: 2001 }, () => entry.replicas[0]) })],
    ['a cache that is more than full', engine({ kvCacheUsage: 1.1 })],
    ['half a request that waits', engine({ waiting: 0.5 })],
    ['a reading of the future', engine({ ageMs: -1 })],
    ['counters that lack one', engine({ totals: { ageMs: 0, running: 1, promptTokens: 1 } })],
    ['a missing field', changed({ ages: undefined })],
  ])('%s', (_, line) => {
    expect(() => parseReport(line)).toThrow(/^the report is not/);
  });

  test('any other text, with words that do not repeat it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseHello, parseReport, parseHeartbeat]) {
          let said = '';
          try {
            parse(text);
          } catch (error) {
            said = (error as Error).message;
          }
          expect(said).toMatch(/^the (hello|report|heartbeat) is not (JSON|valid at [\w.]*)/);
          if (text.length > 40) expect(said).not.toContain(text);
        }
      }),
    );
  });
});
