import { describe, expect, test } from '@jest/globals';
import type { EngineModel } from './engine-model.ts';
import { Replica, type Journal } from './replica.ts';

interface Sized {
  atMs: number;
  prompt: number;
  output: number;
}

const ENGINE: EngineModel = {
  baseMs: 10,
  perContextTokenMs: 0,
  perPromptTokenMs: 0.1,
  gpus: 1,
  batchedTokens: 101,
  seats: 4,
  kvCacheTokens: 1_000,
};

function emptyJournal(requests: readonly Sized[]): Journal {
  return {
    promptTokens: Int32Array.from(requests, ({ prompt }) => prompt),
    outputTokens: Int32Array.from(requests, ({ output }) => output),
    firstTokenAtMs: new Float64Array(requests.length).fill(NaN),
    endedAtMs: new Float64Array(requests.length).fill(NaN),
  };
}

function serve(engine: EngineModel, requests: readonly Sized[]): Journal {
  const journal = emptyJournal(requests);
  const replica = new Replica(1, engine, journal, 0, () => undefined);
  for (const [request, { atMs }] of requests.entries()) {
    while (replica.nextMs <= atMs) replica.run();
    replica.give(request, atMs);
  }
  while (replica.nextMs < Infinity) replica.run();
  return journal;
}

describe('a replica', () => {
  test('prefills in one step and makes a token in each step after it', () => {
    const journal = serve(ENGINE, [{ atMs: 5, prompt: 50, output: 4 }]);
    expect(journal.firstTokenAtMs[0]).toBeCloseTo(5 + 10 + 5);
    expect(journal.endedAtMs[0]).toBeCloseTo(5 + 15 + 3 * 10);
  });

  test('cuts a long prompt into chunks, each of which gives those that decode one token', () => {
    const journal = serve(ENGINE, [
      { atMs: 0, prompt: 1, output: 101 },
      { atMs: 10.1, prompt: 300, output: 1 },
    ]);
    // 300 tokens in steps of 100, beside the one that decodes.
    expect(journal.firstTokenAtMs[1]).toBeCloseTo(10.1 + 3 * 20);
    expect(journal.endedAtMs[0]).toBeCloseTo(10.1 + 3 * 20 + 97 * 10);
  });

  test('fills a step with the prompts of several', () => {
    const requests = [1, 2, 3].map(() => ({ atMs: 0, prompt: 40, output: 1 }));
    const journal = serve({ ...ENGINE, batchedTokens: 60 }, [{ atMs: 0, prompt: 1, output: 1 }, ...requests]);
    // The first chunk begins with the first request alone; then 60, then what is left.
    expect([...journal.firstTokenAtMs].map((at) => Math.round(at * 10) / 10)).toEqual([10.1, 26.1, 42.1, 42.1]);
  });

  test('lets a request wait for a seat', () => {
    const requests = [1, 2, 3, 4, 5].map(() => ({ atMs: 0, prompt: 1, output: 11 }));
    const journal = serve(ENGINE, requests);
    expect(journal.firstTokenAtMs[4]).toBeGreaterThan(journal.endedAtMs[0] ?? NaN);
    expect(journal.firstTokenAtMs[3]).toBeLessThan(journal.endedAtMs[0] ?? NaN);
  });

  test('lets a request wait for KV cache, and those behind it too', () => {
    const journal = serve(ENGINE, [
      { atMs: 0, prompt: 500, output: 100 },
      { atMs: 1, prompt: 300, output: 200 },
      { atMs: 2, prompt: 1, output: 1 },
    ]);
    expect(journal.firstTokenAtMs[1]).toBeGreaterThan(journal.endedAtMs[0] ?? NaN);
    expect(journal.firstTokenAtMs[2]).toBeGreaterThan(journal.endedAtMs[0] ?? NaN);
  });

  test('serves a request that alone is larger than the cache', () => {
    const journal = serve(ENGINE, [{ atMs: 0, prompt: 2_000, output: 1 }]);
    expect(journal.endedAtMs[0]).toBeGreaterThan(0);
  });

  test('tells what it did, whenever it is asked, and asking changes nothing', () => {
    const requests = [
      { atMs: 0, prompt: 150, output: 20 },
      { atMs: 35, prompt: 250, output: 40 },
    ];
    const journal = emptyJournal(requests);
    const replica = new Replica(1, ENGINE, journal, 0, () => undefined);
    const sum = { runningMs: 0, promptTokens: 0, generatedTokens: 0 };
    let usage = 0;
    for (let nowMs = 0; nowMs < 1_000; nowMs += 7) {
      while (replica.nextMs <= nowMs) replica.run();
      for (const [request, { atMs }] of requests.entries()) if (atMs === nowMs) replica.give(request, nowMs);
      const { runningMs, promptTokens, generatedTokens } = replica.takeCounters(nowMs);
      sum.runningMs += runningMs;
      sum.promptTokens += promptTokens;
      sum.generatedTokens += generatedTokens;
      usage = Math.max(usage, replica.kvCacheUsage(nowMs));
    }
    expect(sum.promptTokens).toBeCloseTo(400);
    expect(sum.generatedTokens).toBeCloseTo(60);
    expect(usage).toBeGreaterThan(0.4);
    expect(usage).toBeLessThan(0.46);
    expect(journal).toEqual(serve(ENGINE, requests));
    // In the batch from the end of the first chunk's wait to the end; the second waits for a chunk of the first.
    const [firstMs = NaN, secondMs = NaN] = journal.endedAtMs;
    expect(sum.runningMs).toBeGreaterThan(firstMs + secondMs - 35 - 20);
    expect(sum.runningMs).toBeLessThanOrEqual(firstMs + secondMs - 35);
  });
});
