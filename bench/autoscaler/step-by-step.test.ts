/** The fluid replica against the steps that it stands for. */
import { expect, test } from '@jest/globals';
import { nextArrival, seededRandom } from '../../test/load/random.ts';
import { measuredEngine, type EngineModel } from './engine-model.ts';
import { Replica } from './replica.ts';

interface Request {
  atMs: number;
  promptTokens: number;
  outputTokens: number;
  /** Tokens that were prefilled and made. */
  prefilled: number;
  generated: number;
  endedAtMs: number;
}

/** Continuous batching, one step after the other. */
class StepByStep {
  readonly #engine: EngineModel;
  #waiting: Request[] = [];
  #running: Request[] = [];

  constructor(engine: EngineModel) {
    this.#engine = engine;
  }

  serve(requests: readonly Request[]): void {
    const toCome = [...requests];
    let nowMs = 0;
    while (toCome.length + this.#waiting.length + this.#running.length > 0) {
      const idle = this.#waiting.length + this.#running.length === 0;
      if (idle) nowMs = Math.max(nowMs, toCome[0]?.atMs ?? 0);
      while ((toCome[0]?.atMs ?? Infinity) <= nowMs) this.#waiting.push(...toCome.splice(0, 1));
      nowMs += this.#step();
      for (const request of this.#running) if (request.generated === request.outputTokens) request.endedAtMs = nowMs;
      this.#running = this.#running.filter(({ endedAtMs }) => Number.isNaN(endedAtMs));
    }
  }

  /** Returns how long the step took. */
  #step(): number {
    const { baseMs, perContextTokenMs, perPromptTokenMs, batchedTokens } = this.#engine;
    const decoding = this.#running.filter(({ prefilled, promptTokens }) => prefilled === promptTokens);
    const context = sum(decoding, ({ promptTokens, generated }) => promptTokens + generated);
    let room = batchedTokens - decoding.length;
    for (let at = 0; room > 0 && (at < this.#running.length || this.#admit()); at++) {
      const request = this.#running[at] as Request;
      const tokens = Math.min(room, request.promptTokens - request.prefilled);
      request.prefilled += tokens;
      room -= tokens;
    }
    for (const request of this.#running) if (request.prefilled === request.promptTokens) request.generated++;
    const prompt = batchedTokens - decoding.length - room;
    return baseMs + context * perContextTokenMs + prompt * perPromptTokenMs;
  }

  #admit(): boolean {
    const [first] = this.#waiting;
    const { seats, kvCacheTokens } = this.#engine;
    if (first === undefined || this.#running.length >= seats) return false;
    if (sum([...this.#running, first], lengthOf) > kvCacheTokens) return false;
    this.#running.push(...this.#waiting.splice(0, 1));
    return true;
  }
}

function lengthOf({ promptTokens, outputTokens }: Request): number {
  return promptTokens + outputTokens;
}

function sum<T>(values: readonly T[], value: (one: T) => number): number {
  return values.reduce((total, one) => total + value(one), 0);
}

function fluidEnds(engine: EngineModel, requests: readonly Request[]): Float64Array {
  const endedAtMs = new Float64Array(requests.length);
  const journal = {
    promptTokens: Int32Array.from(requests, ({ promptTokens }) => promptTokens),
    outputTokens: Int32Array.from(requests, ({ outputTokens }) => outputTokens),
    firstTokenAtMs: new Float64Array(requests.length),
    endedAtMs,
  };
  const replica = new Replica(1, engine, journal, 0, () => undefined);
  for (const [request, { atMs }] of requests.entries()) {
    while (replica.nextMs <= atMs) replica.run();
    replica.give(request, atMs);
  }
  while (replica.nextMs < Infinity) replica.run();
  return endedAtMs;
}

test.each([
  ['light', 2, measuredEngine(2)],
  ['heavy', 7, measuredEngine(2)],
  ['short of seats', 5, { ...measuredEngine(2), seats: 12 }],
  ['short of KV cache', 5, { ...measuredEngine(2), kvCacheTokens: 20_000 }],
])('a load that is %s takes as long as step by step', (_, perSecond, engine) => {
  const random = seededRandom(3);
  const requests: Request[] = [];
  for (let atMs = 0; requests.length < 300; atMs += nextArrival(perSecond / 1000, random)) {
    requests.push({
      atMs,
      promptTokens: 1 + Math.floor(nextArrival(1 / 1200, random)),
      outputTokens: 1 + Math.floor(nextArrival(1 / 200, random)),
      prefilled: 0,
      generated: 0,
      endedAtMs: NaN,
    });
  }
  const fluid = fluidEnds(engine, requests);
  new StepByStep(engine).serve(requests);
  const latencies = [
    requests.map(({ atMs }, request) => (fluid[request] ?? NaN) - atMs),
    requests.map(({ atMs, endedAtMs }) => endedAtMs - atMs),
  ].map((values) => values.sort((a, b) => a - b));
  const [fluidMean = 0, exactMean = 0] = latencies.map((values) => sum(values, (value) => value));
  const [fluidP95 = 0, exactP95 = 0] = latencies.map((values) => values[285] ?? NaN);
  expect(Math.abs(fluidMean / exactMean - 1)).toBeLessThan(0.005);
  expect(Math.abs(fluidP95 / exactP95 - 1)).toBeLessThan(0.005);
});
