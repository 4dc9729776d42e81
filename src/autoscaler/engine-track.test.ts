import { beforeEach, describe, expect, test } from '@jest/globals';
import type { EngineReport } from '../channel/messages.ts';
import { EngineTrack } from './engine-track.ts';
import type { EngineSample } from './observation.ts';

let now: number;
let track: EngineTrack;

beforeEach(() => {
  now = 1_000_000;
  track = new EngineTrack(now);
});

interface Said {
  ageMs?: number;
  waiting?: number;
  running?: number;
  prompt?: number;
  generated?: number;
}

function said({ ageMs = 0, waiting = 0, running = 1, prompt = 0, generated = 0 }: Said): EngineReport {
  const totals = { ageMs, running, promptTokens: prompt, generatedTokens: generated };
  return { ageMs, waiting, kvCacheUsage: 0.5, totals };
}

function hear(more: Said): void {
  track.heard(said(more), now);
}

function take(): EngineSample | undefined {
  return track.takeSample('pod-1');
}

describe('a sample', () => {
  test('is the growth between two readings, by whichever gateway', () => {
    hear({ prompt: 100, generated: 1_000 });
    expect(take()).toBeUndefined();
    now += 3_000;
    hear({ prompt: 160, generated: 1_900 });
    now += 2_500;
    hear({ ageMs: 500, prompt: 200, generated: 2_400, waiting: 0 });
    expect(take()).toMatchObject({
      podUid: 'pod-1',
      promptTokens: 100,
      generatedTokens: 1_400,
      intervalMs: 5_000,
      waiting: 0,
      kvCacheUsage: 0.5,
    });
    expect(take()).toBeUndefined();
    now += 5_000;
    hear({ prompt: 200, generated: 2_500 });
    expect(take()).toMatchObject({ promptTokens: 0, generatedTokens: 100, intervalMs: 5_500 });
  });

  test('is not made of one reading that is repeated', () => {
    hear({ generated: 10 });
    for (let second = 1; second <= 3; second += 1) {
      now += 1_000;
      // As its age is counted it may seem to be a little younger than it is.
      hear({ ageMs: second * 1_000 - 200, generated: 10 });
    }
    expect(take()).toBeUndefined();
  });

  test('is of an idle engine, too', () => {
    hear({ generated: 10 });
    now += 5_000;
    hear({ generated: 10, running: 0 });
    expect(take()).toMatchObject({ generatedTokens: 0, intervalMs: 5_000, running: 0 });
  });

  test('does not count what an engine did that was started anew, nor what it did before', () => {
    hear({ prompt: 900, generated: 1_000 });
    now += 5_000;
    hear({ prompt: 5, generated: 8 });
    expect(take()).toBeUndefined();
    now += 5_000;
    hear({ prompt: 25, generated: 108 });
    expect(take()).toMatchObject({ promptTokens: 20, generatedTokens: 100, intervalMs: 5_000 });
  });

  test('is not disturbed by a gateway that tells late what it read before the other', () => {
    hear({ generated: 100 });
    now += 5_000;
    hear({ generated: 600 });
    hear({ ageMs: 4_000, generated: 200 });
    hear({ ageMs: -0, generated: 599 });
    expect(take()).toMatchObject({ generatedTokens: 500, intervalMs: 5_000 });
  });

  test('over too long a time is none, and the next begins there', () => {
    hear({ generated: 100 });
    now += 60_000;
    hear({ generated: 10_000 });
    expect(take()).toBeUndefined();
    now += 5_000;
    hear({ generated: 10_050 });
    expect(take()).toMatchObject({ generatedTokens: 50, intervalMs: 5_000 });
  });

  test('has no more tokens than an engine can make', () => {
    hear({});
    now += 5_000;
    hear({ prompt: Number.MAX_SAFE_INTEGER, generated: Number.MAX_SAFE_INTEGER });
    expect(take()).toMatchObject({ promptTokens: 5e7, generatedTokens: 5e7 });
  });

  test('has the newest of what waits and of the cache, of an answer or of /metrics', () => {
    hear({ waiting: 4, generated: 1 });
    now += 5_000;
    hear({ waiting: 5, generated: 2 });
    now += 100;
    track.heard({ ...said({ ageMs: 100, generated: 2 }), ageMs: 10, waiting: 9, kvCacheUsage: 0.75 }, now);
    track.heard({ ageMs: 3_000, waiting: 1, kvCacheUsage: 0 }, now);
    expect(take()).toMatchObject({ waiting: 9, kvCacheUsage: 0.75 });
  });
});

describe('what runs together', () => {
  test('is the mean over time of what is in flight, while none waits for room', () => {
    track.inFlight(2, now);
    hear({ running: 2 });
    now += 4_000;
    track.inFlight(7, now);
    now += 1_000;
    track.inFlight(7, now);
    hear({ running: 7, generated: 10 });
    expect(take()?.running).toBeCloseTo((2 * 4 + 7 * 1) / 5);
    now += 2_000;
    track.inFlight(0, now);
    now += 3_000;
    track.inFlight(0, now);
    hear({ running: 0, generated: 20 });
    expect(take()?.running).toBeCloseTo((7 * 2) / 5);
  });

  test("is the engine's own word where more is in flight than has room, at any of the readings", () => {
    track.inFlight(100, now);
    hear({ running: 64, waiting: 36 });
    now += 5_000;
    track.inFlight(100, now);
    hear({ running: 60, generated: 10 });
    expect(take()?.running).toBe(62);
    now += 5_000;
    track.inFlight(100, now);
    hear({ running: 100, generated: 20 });
    expect(take()?.running).toBe(100);
  });
});

test('of what runs on an engine the share of batches is told, over the time of the sample', () => {
  track.inFlight(4, now, 4);
  hear({});
  now += 2_000;
  track.inFlight(4, now, 1);
  now += 2_000;
  track.inFlight(4, now);
  hear({ generated: 100 });
  expect(take()).toMatchObject({ running: 4, batchShare: 10 / 16 });
  now += 5_000;
  track.inFlight(4, now);
  hear({ generated: 200 });
  expect(take()).not.toHaveProperty('batchShare');
});
