import { describe, expect, test } from '@jest/globals';
import type { Answer } from '../gateway.ts';
import { NO_TRIES, judgeAnswer } from './retry.ts';
import type { Tries } from './retry.ts';

function answer(status: number, code?: string, retryAfterSeconds?: number): Answer {
  return { status, requestId: 'r', body: Buffer.from(JSON.stringify({ error: { code } })), retryAfterSeconds };
}

/** How often a request is sent where every answer is this one; `answered` is how many others were by the nth time. */
function times(status: number, code: string | undefined, answered: (n: number) => number): number {
  let tries: Tries = NO_TRIES;
  for (let n = 1; n < 100; n += 1) {
    const verdict = judgeAnswer(answer(status, code), tries, answered(n), 1000);
    if (verdict.kind !== 'again') return n;
    ({ tries } = verdict);
  }
  return Number.POSITIVE_INFINITY;
}

describe('judgeAnswer', () => {
  test.each([200, 201, 400, 403, 404, 413, 422])('%d is a result', (status) => {
    expect(judgeAnswer(answer(status), NO_TRIES, 0, 1000)).toEqual({ kind: 'result' });
  });

  test('what is asked to wait is waited, and no less than the backoff', () => {
    expect(judgeAnswer(answer(429, undefined, 30), NO_TRIES, 0, 1000)).toMatchObject({
      kind: 'again',
      afterMs: 30_000,
    });
    expect(judgeAnswer(answer(503, undefined, 1), NO_TRIES, 0, 4000)).toMatchObject({ kind: 'again', afterMs: 4000 });
  });

  test.each([
    [500, undefined, 3],
    [429, undefined, Number.POSITIVE_INFINITY],
    [502, undefined, 20],
    [503, 'model_suspended', Number.POSITIVE_INFINITY],
    [503, 'upstream_error', 10],
    [504, 'upstream_timeout', 10],
  ])('%d %s while others are answered: sent %d times', (status, code, sent) => {
    expect(times(status, code, (n) => n)).toBe(sent);
  });

  test('where nothing else is answered either, a request that loses replicas is not to blame, up to 20', () => {
    expect(times(503, 'upstream_error', () => 5)).toBe(20);
  });

  test.each([
    [401, 'invalid_api_key', 'key'],
    [403, 'missing_scope', 'key'],
    [404, 'model_not_found', 'model'],
  ])('%d %s: the %s is missing', (status, code, what) => {
    expect(judgeAnswer(answer(status, code), NO_TRIES, 0, 1000)).toEqual({ kind: 'missing', what });
  });
});
