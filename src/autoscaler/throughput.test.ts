import { expect, test } from '@jest/globals';
import { minuteWith } from '../../test/support/taught-minutes.ts';
import type { EngineSample } from './observation.ts';
import { addToThroughput, boundedRps, NO_THROUGHPUT, type Throughput } from './throughput.ts';

const TICK_MS = 5_000;
/** Takes in 20, and gets two a second done. */
const QUEUEING: EngineSample = {
  podUid: 'one',
  intervalMs: TICK_MS,
  running: 20,
  waiting: 30,
  kvCacheUsage: 0.5,
  promptTokens: 1_000,
  generatedTokens: 1_000,
};
/** Replicas, and so many requests a second that come to each. */
const READY = 2;
const RPS = 5;
const SERVED = 2;

interface Ticks {
  engines?: readonly EngineSample[];
  ready?: number;
  served?: number;
}

/** So many ticks in which more come than leave. */
function ticks(
  count: number,
  { engines = [QUEUEING, QUEUEING], ready = READY, served = SERVED }: Ticks = {},
  from: Throughput = NO_THROUGHPUT,
): Throughput {
  const arrivals = (READY * RPS * TICK_MS) / 1000;
  const left = (READY * served * TICK_MS) / 1000;
  let throughput = from;
  for (let tick = 0; tick < count; tick++) {
    const inFlight = throughput.inFlight + arrivals - left;
    throughput = addToThroughput(throughput, minuteWith({ intervalMs: TICK_MS, arrivals, inFlight, engines }), ready);
  }
  return throughput;
}

const rpsOf = (throughput: Throughput, targetRps: number): number => boundedRps(throughput, targetRps, 1);

test('after minutes of a queue a replica is taken for what it gets done, whatever targetRps says', () => {
  expect(rpsOf(ticks(60), 10)).toBeCloseTo(SERVED, 1);
  expect(rpsOf(ticks(60), 100)).toBeCloseTo(SERVED, 1);
});

test('a share of it is what leaves requests time', () => {
  expect(boundedRps(ticks(60), 10, 0.8)).toBeCloseTo(0.8 * SERVED, 1);
});

test('a targetRps below it stays what it is', () => {
  expect(rpsOf(ticks(60), 1)).toBe(1);
});

test('nothing is bounded before there was a queue', () => {
  expect(rpsOf(NO_THROUGHPUT, 10)).toBe(10);
  expect(rpsOf(ticks(60, { engines: [QUEUEING, { ...QUEUEING, waiting: 4 }] }), 10)).toBe(10);
});

test.each<[string, Ticks]>([
  ['an engine that is not heard of', { engines: [QUEUEING] }],
  ['an engine that works on nothing', { engines: [QUEUEING, { ...QUEUEING, running: 0 }] }],
  ['an engine that makes no token', { engines: [QUEUEING, { ...QUEUEING, generatedTokens: 0 }] }],
  ['an engine that works on a batch, too', { engines: [QUEUEING, { ...QUEUEING, batchShare: 0.1 }] }],
  ['no replica', { engines: [], ready: 0 }],
])('%s says nothing of what replicas get done', (_sentence, odd) => {
  expect(rpsOf(ticks(60, odd), 10)).toBe(10);
});

test.each<[string, EngineSample[]]>([
  ['one of two engines', [QUEUEING]],
  ['all', []],
])('a tick in which %s are not heard of breaks no queue', (_sentence, engines) => {
  let throughput = NO_THROUGHPUT;
  for (let time = 0; time < 10; time++) throughput = ticks(1, { engines }, ticks(5, {}, throughput));
  expect(rpsOf(throughput, 10)).toBeCloseTo(SERVED, 0);
});

test('what comes and goes while engines are not heard of for long is not counted', () => {
  const unheard = ticks(60, { engines: [], served: 0.1 }, ticks(6));
  expect(rpsOf(ticks(20, {}, unheard), 10)).toBeGreaterThan(0.9 * SERVED);
});

test('a queue of half a minute is a burst, and one that was interrupted another one', () => {
  const burst = ticks(6);
  expect(rpsOf(burst, 10)).toBe(10);
  const calm = ticks(1, { engines: [{ ...QUEUEING, waiting: 0 }] }, burst);
  expect(rpsOf(ticks(6, {}, calm), 10)).toBe(10);
  expect(rpsOf(ticks(7, {}, calm), 10)).toBeLessThan(10);
});

test('nothing leaves before the first are done, which is no bound', () => {
  expect(rpsOf(ticks(60, { served: 0 }), 10)).toBe(10);
});

test('requests that end in waves bound no lower between two of them', () => {
  // All 20 of each replica end after 100 s.
  const wave = READY * QUEUEING.running;
  let throughput = ticks(1);
  for (let tick = 1; tick <= 120; tick++) {
    const inFlight = throughput.inFlight + 50 - (tick % 20 === 0 ? wave : 0);
    const traffic = minuteWith({ intervalMs: TICK_MS, arrivals: 50, inFlight, engines: [QUEUEING, QUEUEING] });
    throughput = addToThroughput(throughput, traffic, READY);
    expect(rpsOf(throughput, 10)).toBeGreaterThanOrEqual(QUEUEING.running / 100);
  }
  expect(rpsOf(throughput, 10)).toBeLessThan(0.3);
});

test('those that were there before anybody counted are nothing that came', () => {
  const begun = minuteWith({ intervalMs: TICK_MS, arrivals: 50, inFlight: 5_000, engines: [QUEUEING, QUEUEING] });
  expect(rpsOf(ticks(60, {}, addToThroughput(NO_THROUGHPUT, begun, READY)), 10)).toBeCloseTo(SERVED, 1);
});

test('who gives up where nothing serves was not served', () => {
  const was = ticks(60);
  expect(ticks(60, { engines: [], ready: 0, served: RPS }, was).left).toBeLessThan(was.left);
});

test('a gateway that is not heard of for a moment changes nothing', () => {
  let throughput = ticks(1);
  for (let tick = 1; tick <= 120; tick++) {
    // Half of the requests are its.
    const inFlight = tick % 12 === 6 ? 150 : 300;
    const traffic = minuteWith({ intervalMs: TICK_MS, arrivals: 20, inFlight, engines: [QUEUEING, QUEUEING] });
    throughput = addToThroughput(throughput, traffic, READY);
  }
  expect(rpsOf(throughput, 10)).toBeCloseTo(SERVED, 0);
});

test('half of it is forgotten in half an hour', () => {
  const was = ticks(60);
  expect(ticks(360, { engines: [] }, was).left).toBeCloseTo(was.left / 2, 6);
});
