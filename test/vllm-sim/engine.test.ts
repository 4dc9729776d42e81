import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Engine, type EngineSettings, type FinishedSequence, type Sequence } from './engine.ts';
import { answerToken, tokenize } from './tokenizer.ts';

const settings: EngineSettings = {
  maxNumSeqs: 4,
  maxNumBatchedTokens: 64,
  kvBlocks: 100,
  prefixCaching: true,
  stepBaseMs: 10,
  stepPerContextTokenMs: 0.01,
  prefillTokensPerMs: 10,
};

function sequence(id: string, promptTokens: number, answerLength: number, seed = id): Sequence {
  return {
    id,
    promptTokens: Array.from({ length: promptTokens }, (_, index) => `${seed}${index}`),
    answerToken: (index) => answerToken(seed, index),
    answerLength,
    finishReason: 'stop',
  };
}

/** Runs until nothing is left; fails rather than run for ever. */
function drain(engine: Engine, from = 0): { finished: FinishedSequence[]; now: number; steps: number } {
  const finished: FinishedSequence[] = [];
  let now = from;
  for (let steps = 0; steps < 10_000; steps += 1) {
    const duration = engine.startStep(now);
    if (duration === undefined) return { finished, now, steps };
    now += duration;
    finished.push(...engine.finishStep(now).finished);
  }
  throw new Error('The engine does not come to an end.');
}

describe('engine', () => {
  test('a step costs its base, the context in the batch and the prompt tokens at the prefill speed', () => {
    const engine = new Engine(settings);
    engine.submit(sequence('a', 20, 2), 0);
    // 10 ms + 20 tokens of context at 0.01 ms + 20 prompt tokens at 10 a ms.
    expect(engine.startStep(0)).toBeCloseTo(10 + 0.2 + 2);
    engine.finishStep(12.2);
    expect(engine.startStep(12.2)).toBeCloseTo(10 + 0.21);
  });

  test('running sequences share a step: two answers take no longer than one', () => {
    const one = new Engine(settings);
    one.submit(sequence('a', 8, 10), 0);
    const two = new Engine(settings);
    two.submit(sequence('a', 8, 10), 0);
    two.submit(sequence('b', 8, 10), 0);
    expect(drain(two).steps).toBe(drain(one).steps);
  });

  test('beyond its seats a sequence waits, in order of arrival', () => {
    const engine = new Engine({ ...settings, maxNumSeqs: 1 });
    engine.submit(sequence('a', 8, 3), 0);
    engine.submit(sequence('b', 8, 1), 0);
    engine.startStep(0);
    expect(engine.load).toMatchObject({ running: 1, waiting: 1 });
    engine.finishStep(10);
    const { finished } = drain(engine, 10);
    expect(finished.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(finished[1]?.scheduledAt).toBeGreaterThan(finished[0]?.firstTokenAt ?? Infinity);
  });

  test('a prompt over the token budget is computed in parts while others go on', () => {
    const engine = new Engine(settings);
    engine.submit(sequence('short', 4, 20), 0);
    engine.startStep(0);
    engine.finishStep(10);
    engine.submit(sequence('long', 150, 1), 10);
    engine.startStep(10);
    const result = engine.finishStep(30);
    expect(result.tokens.map(({ id }) => id)).toEqual(['short']);
    expect(result.scheduledTokens).toBe(64);
    expect(result.prefillTokens).toBe(63);
  });

  test('a prompt seen before costs only its last block', () => {
    const engine = new Engine(settings);
    engine.submit(sequence('a', 33, 1, 'same'), 0);
    const { now } = drain(engine);
    engine.submit(sequence('b', 33, 1, 'same'), now);
    const { finished } = drain(engine, now);
    expect(finished[0]?.cachedTokens).toBe(32);
    expect(engine.load).toMatchObject({ prefixQueries: 66, prefixHits: 32 });
  });

  test('the last token of a prompt is computed even when all its blocks are known', () => {
    const engine = new Engine(settings);
    engine.submit(sequence('a', 32, 1, 'same'), 0);
    const { now } = drain(engine);
    engine.submit(sequence('b', 32, 1, 'same'), now);
    expect(drain(engine, now).finished[0]?.cachedTokens).toBe(16);
  });

  test('an answer sent back as the next turn is found in the cache', () => {
    const engine = new Engine(settings);
    const question = '<|user|>\nTell me more about this.<|end|>\n<|assistant|>\n';
    const first = { ...sequence('a', 0, 40), promptTokens: tokenize(question) };
    engine.submit(first, 0);
    const { now } = drain(engine);
    const answer = Array.from({ length: 40 }, (_, index) => first.answerToken(index)).join('');
    const turn = tokenize(`${question}${answer}<|end|>\n<|user|>\nAnd then?<|end|>\n<|assistant|>\n`);
    engine.submit({ ...sequence('b', 0, 1), promptTokens: turn }, now);
    expect(drain(engine, now).finished[0]?.cachedTokens).toBeGreaterThanOrEqual(32);
  });

  test('without prefix caching nothing is reused', () => {
    const engine = new Engine({ ...settings, prefixCaching: false });
    engine.submit(sequence('a', 33, 1, 'same'), 0);
    const { now } = drain(engine);
    engine.submit(sequence('b', 33, 1, 'same'), now);
    expect(drain(engine, now).finished[0]?.cachedTokens).toBe(0);
  });

  test('when the cache is full the last one admitted gives way and is computed again', () => {
    // Four blocks: both prompts fit, both answers do not; there is a seat for c, but no block.
    const engine = new Engine({ ...settings, kvBlocks: 4, prefixCaching: false });
    engine.submit(sequence('a', 20, 30), 0);
    engine.submit(sequence('b', 20, 30), 0);
    engine.submit(sequence('c', 40, 20), 0);
    const { finished } = drain(engine);
    // The one that gave way comes back before those that never began.
    expect(finished.map(({ id, preemptions, generatedTokens }) => [id, preemptions, generatedTokens])).toEqual([
      ['a', 0, 30],
      ['b', 1, 30],
      ['c', 0, 20],
    ]);
    expect(engine.load).toMatchObject({ preemptions: 1, kvCacheUsage: 0 });
  });

  test('an aborted sequence leaves at once and frees its blocks', () => {
    const engine = new Engine(settings);
    engine.submit(sequence('a', 20, 30), 0);
    engine.startStep(0);
    expect(engine.abort('a', 5)).toMatchObject({ id: 'a', reason: 'abort', generatedTokens: 0 });
    expect(engine.finishStep(10).tokens).toEqual([]);
    expect(engine.load).toMatchObject({ running: 0, waiting: 0, kvCacheUsage: 0 });
    expect(engine.abort('a', 20)).toBeUndefined();
  });

  test('whatever comes, every sequence ends with all its tokens and the cache ends empty', () => {
    const request = fc.record({ prompt: fc.integer({ min: 1, max: 60 }), answer: fc.integer({ min: 1, max: 40 }) });
    const limits = fc.record({
      maxNumSeqs: fc.integer({ min: 1, max: 6 }),
      maxNumBatchedTokens: fc.integer({ min: 1, max: 80 }),
      // The largest request above needs seven blocks.
      kvBlocks: fc.integer({ min: 7, max: 20 }),
      prefixCaching: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), limits, fc.integer({ min: 1, max: 3 }), (all, limit, seeds) => {
        const engine = new Engine({ ...settings, ...limit });
        for (const [index, { prompt, answer }] of all.entries()) {
          engine.submit(sequence(`r${index}`, prompt, answer, `seed${index % seeds}`), 0);
        }
        const { finished } = drain(engine);
        const generated = Object.fromEntries(finished.map(({ id, generatedTokens }) => [id, generatedTokens]));
        expect(generated).toEqual(Object.fromEntries(all.map(({ answer }, index) => [`r${index}`, answer])));
        expect(engine.load).toMatchObject({ running: 0, waiting: 0, kvCacheUsage: 0 });
      }),
    );
  });
});
