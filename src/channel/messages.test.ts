import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { BUCKETS } from './histogram.ts';
import {
  encode,
  parseHeartbeat,
  parseHello,
  parseReport,
  type DeploymentReport,
  type Heartbeat,
  type LiveSample,
  type Report,
} from './messages.ts';

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

const sample: LiveSample = {
  timeMs: 1_800_000_000_000,
  requestsPerSecond: 2.5,
  latencyP50Ms: 800,
  latencyP95Ms: 1_200.5,
  firstByteP95Ms: 90,
  inFlight: 4,
  queued: 1,
  kvCacheUsage: 0.5,
  replicasReady: 1,
  replicasDesired: 2,
};
const bare: LiveSample = {
  timeMs: 0,
  requestsPerSecond: 0,
  inFlight: 0,
  queued: 0,
  replicasReady: 0,
  replicasDesired: 0,
};
const heartbeat: Heartbeat = {
  type: 'heartbeat',
  live: {
    watch: 3,
    more: true,
    deployments: [
      { uid: 'uid-chat', sample, replicas: [{ podUid: 'pod-1', inFlight: 4, waiting: 1, kvCacheUsage: 0.5 }] },
      { uid: 'uid-idle', sample: bare, replicas: [{ podUid: 'pod-2', inFlight: 0 }], history: [bare, sample] },
    ],
  },
  sealingKeys: [{ id: 'abcdefgh', madeAtMs: 1_800_000_000_000, key: 'A'.repeat(43) }],
};
const words: Report = {
  type: 'report',
  more: true,
  deployments: [],
  watch: { version: 3, namespaces: ['team-a'], details: ['uid-chat'] },
  sealingKeys: [],
};

test('what is watched, what the leader tells of it, and sealing keys arrive as they were sent', () => {
  expect(parseReport(encode(words))).toEqual(words);
  expect(parseHeartbeat(encode(heartbeat))).toEqual(heartbeat);
});

const linesOf = (message: Report | Heartbeat): string[] => encode(message).split(/(?<=\n)/);

test('many sealing keys come in lines of as many as a peer of before takes', () => {
  const keys = Array.from({ length: 20 }, (_, index) => ({
    id: `key-of-${index}`,
    madeAtMs: 1_800_000_000_000,
    key: 'A'.repeat(43),
  }));
  const heartbeats = linesOf({ ...heartbeat, sealingKeys: keys }).map((line) => parseHeartbeat(line));
  expect(heartbeats.map(({ sealingKeys }) => sealingKeys?.length)).toEqual([8, 8, 4]);
  expect(heartbeats.flatMap(({ sealingKeys }) => sealingKeys)).toEqual(keys);
  expect(heartbeats.map(({ live }) => live)).toEqual([undefined, undefined, heartbeat.live]);
  const whole: Report = { ...words, more: false, deployments: [entry], sealingKeys: keys };
  const reports = linesOf(whole).map((line) => parseReport(line));
  expect(reports.flatMap(({ sealingKeys }) => sealingKeys)).toEqual(keys);
  // What it says besides comes once, in the line that ends it.
  const bare = { type: 'report', more: true, deployments: [] };
  expect(reports).toMatchObject([bare, bare, { more: false, deployments: [{ uid: 'uid-chat' }], watch: words.watch }]);
});

test('a leader and a gateway of before, which say none of it, are understood', () => {
  expect(parseHeartbeat('{"type":"heartbeat"}')).toEqual({ type: 'heartbeat' });
  expect(parseHeartbeat('{"type":"heartbeat","live":{"watch":1,"more":false,"deployments":[],"mood":1}}')).toEqual({
    type: 'heartbeat',
    live: { watch: 1, more: false, deployments: [] },
  });
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

  const told = heartbeat.live?.deployments[0];
  const sampleWith = (fields: Record<string, unknown>): string => toldWith({ sample: { ...sample, ...fields } });
  const toldWith = (fields: Record<string, unknown>, count = 1): string =>
    JSON.stringify({
      ...heartbeat,
      live: { ...heartbeat.live, deployments: Array.from({ length: count }, () => ({ ...told, ...fields })) },
    });
  const keysWith = (fields: Record<string, unknown>, count = 1): string =>
    JSON.stringify({
      ...heartbeat,
      sealingKeys: Array.from({ length: count }, () => ({ ...heartbeat.sealingKeys?.[0], ...fields })),
    });

  test.each([
    ['a rate below zero', sampleWith({ requestsPerSecond: -1 })],
    ['a rate that is none', sampleWith({ requestsPerSecond: null })],
    ['a cache that is more than full', sampleWith({ kvCacheUsage: 2 })],
    ['a day of history', toldWith({ history: Array.from({ length: 1_000 }, () => bare) })],
    ['too many deployments', toldWith({}, 251)],
    ['a key that is too short', keysWith({ key: 'AAAA' })],
    ['a key with another name than is allowed', keysWith({ id: '../../etc' })],
    ['a thousand keys', keysWith({}, 1_000)],
  ])('of a leader %s', (_, line) => {
    expect(() => parseHeartbeat(line)).toThrow(/^the heartbeat is not valid at/);
  });

  test.each([
    ['a watch without end', { watch: { ...words.watch, details: Array(300).fill('uid') } }],
    ['a namespace of a book', { watch: { ...words.watch, namespaces: ['x'.repeat(100)] } }],
    ['a version that is none', { watch: { ...words.watch, version: -1 } }],
    ['keys that are none', { sealingKeys: ['abc'] }],
  ])('of a gateway %s', (_, fields) => {
    expect(() => parseReport(JSON.stringify({ ...words, ...fields }))).toThrow(/^the report is not valid at/);
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
