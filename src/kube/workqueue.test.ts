import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { ApiError, TerminalError, WritesEnded } from './errors.ts';
import { KubeMetrics } from './metrics.ts';
import type { Logger } from './types.ts';
import { WorkQueue } from './workqueue.ts';
import type { ProcessResult, WorkQueueOptions } from './workqueue.ts';

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Passes over keys in the order in which they ran. */
let passes: string[];
let queue: WorkQueue;

beforeEach(() => {
  jest.useFakeTimers();
  passes = [];
});

afterEach(async () => {
  const stopped = queue.stop(0);
  await jest.advanceTimersByTimeAsync(0);
  await stopped;
  jest.useRealTimers();
});

function makeQueue(
  work: (key: string, signal: AbortSignal) => Promise<ProcessResult | undefined>,
  options: Partial<WorkQueueOptions> = {},
): WorkQueue {
  queue = new WorkQueue({
    name: 'test',
    workers: 1,
    backoff: { baseMs: 100, maxMs: 1000 },
    logger: silent,
    ...options,
    process: async (key, signal) => {
      passes.push(key);
      return await work(key, signal);
    },
  });
  return queue;
}

const done = async (): Promise<undefined> => undefined;
const settle = async (): Promise<void> => await jest.advanceTimersByTimeAsync(0);

/** When each pass of `a` began, in milliseconds. */
async function passTimes(error: Error, forMs: number): Promise<number[]> {
  const times: number[] = [];
  const startedAt = Date.now();
  makeQueue(async () => {
    times.push(Date.now() - startedAt);
    throw error;
  });
  queue.start();
  queue.add('a');
  await jest.advanceTimersByTimeAsync(forMs);
  return times;
}

describe('adding', () => {
  test('a key that waits runs once, however often it is added', async () => {
    makeQueue(done);
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    expect(queue.length).toBe(2);
    queue.start();
    await settle();
    expect(passes).toEqual(['a', 'b']);
  });

  test('a key added while it runs, runs once more and never twice at once', async () => {
    let running = 0;
    let most = 0;
    makeQueue(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 50));
        running -= 1;
        return undefined;
      },
      { workers: 4 },
    );
    queue.start();
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await jest.advanceTimersByTimeAsync(200);
    expect(passes).toEqual(['a', 'a']);
    expect(most).toBe(1);
  });

  test('as many keys run at once as there are workers', async () => {
    const release = Promise.withResolvers<undefined>();
    makeQueue(async () => await release.promise, { workers: 2 });
    queue.start();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await settle();
    expect(passes).toEqual(['a', 'b']);
    release.resolve(undefined);
    await settle();
    expect(passes).toEqual(['a', 'b', 'c']);
  });
});

describe('delays', () => {
  test('an earlier addAfter wins over a later one, in both orders', async () => {
    makeQueue(done);
    queue.start();
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 500);
    await jest.advanceTimersByTimeAsync(99);
    expect(passes).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(passes).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(2000);
    expect(passes).toEqual(['a']);
  });

  test('requeueAfterMs runs the key again, and a pass in between replaces it', async () => {
    makeQueue(async () => ({ requeueAfterMs: 100 }));
    queue.start();
    queue.add('a');
    await jest.advanceTimersByTimeAsync(60);
    queue.add('a');
    await jest.advanceTimersByTimeAsync(60);
    // At 100 ms the first pass's wish would have come; the second pass wishes for 160 ms.
    expect(passes).toEqual(['a', 'a']);
    await jest.advanceTimersByTimeAsync(45);
    expect(passes).toEqual(['a', 'a', 'a']);
  });

  test('a delay beyond what a timer can hold does not fire at once', async () => {
    makeQueue(done);
    queue.start();
    queue.addAfter('a', 2 ** 40);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(passes).toEqual([]);
  });
});

describe('failures', () => {
  test('are retried ever more slowly, up to the limit', async () => {
    const times = await passTimes(new Error('no'), 6000);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    gaps.forEach((gap, attempt) => {
      const full = Math.min(1000, 100 * 2 ** attempt);
      expect(gap).toBeGreaterThanOrEqual(full / 2);
      expect(gap).toBeLessThanOrEqual(full + 1);
    });
    expect(gaps.length).toBeGreaterThanOrEqual(6);
  });

  test('wait as long as the server asks', async () => {
    const busy = new ApiError('busy', { status: 429, retryAfterMs: 3000 });
    const [first, second, ...more] = await passTimes(busy, 3800);
    expect([first, more]).toEqual([0, []]);
    // At least as long, and not all at once.
    expect(second).toBeGreaterThanOrEqual(3000);
    expect(second).toBeLessThanOrEqual(3750);
  });

  test.each([
    ['TerminalError', new TerminalError('the spec is wrong')],
    ['WritesEnded', new WritesEnded()],
  ])('with %s are not retried until the key is added again', async (_name, error) => {
    expect(await passTimes(error, 60_000)).toEqual([0]);
    queue.add('a');
    await settle();
    expect(passes).toEqual(['a', 'a']);
  });

  test('are forgotten by a success', async () => {
    let fail = true;
    const metrics = new KubeMetrics({ registry: new Registry() });
    makeQueue(
      async () => {
        if (fail) throw new Error('no');
        return undefined;
      },
      { metrics },
    );
    queue.start();
    queue.add('a');
    await jest.advanceTimersByTimeAsync(1200);
    const failures = passes.length;
    expect(failures).toBeGreaterThan(3);
    expect((await metrics.queueRetries.get()).values[0]?.value).toBe(failures);
    fail = false;
    await jest.advanceTimersByTimeAsync(1000);
    fail = true;
    queue.add('a');
    const before = passes.length;
    // The first retry after a success comes within the base delay again.
    await jest.advanceTimersByTimeAsync(101);
    expect(passes.length).toBeGreaterThanOrEqual(before + 2);
  });

  test('are remembered over a pass that did not get to try', async () => {
    let result: ProcessResult | undefined;
    makeQueue(async () => {
      if (result === undefined) throw new Error('no');
      return result;
    });
    queue.start();
    queue.add('a');
    // Failures at 0, 50..100, 150..300 and 350..700 ms: the next wait is 400 ms at least.
    await jest.advanceTimersByTimeAsync(700);
    result = { untried: true };
    queue.add('a');
    await settle();
    result = undefined;
    queue.add('a');
    await settle();
    const before = passes.length;
    await jest.advanceTimersByTimeAsync(390);
    expect(passes).toHaveLength(before);
  });

  test('of one key do not hold up another', async () => {
    makeQueue(async (key) => {
      if (key === 'bad') throw new Error('no');
      return undefined;
    });
    queue.start();
    queue.add('bad');
    queue.add('good');
    await settle();
    expect(passes).toEqual(['bad', 'good']);
  });
});

describe('stopping', () => {
  test('waits for what runs, and starts nothing more', async () => {
    let finished = false;
    makeQueue(async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      finished = true;
      return undefined;
    });
    queue.start();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 100);
    await settle();
    const stopped = queue.stop(10_000);
    await jest.advanceTimersByTimeAsync(500);
    await stopped;
    expect(finished).toBe(true);
    queue.add('d');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(passes).toEqual(['a']);
  });

  test('aborts what still runs after the grace', async () => {
    let aborted = false;
    makeQueue(async (_key, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted = true;
      return undefined;
    });
    queue.start();
    queue.add('a');
    await settle();
    const stopped = queue.stop(1000);
    await jest.advanceTimersByTimeAsync(999);
    expect(aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await stopped;
    expect(aborted).toBe(true);
  });
});
