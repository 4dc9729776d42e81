import { describe, expect, test } from '@jest/globals';
import { TemporaryError } from './failure.ts';
import { retryAfterMs } from './refusal.ts';
import { retrying, waitMs, type RetryPolicy } from './retry.ts';

const policy: RetryPolicy = { attempts: 3, baseMs: 1, maxMs: 4 };
const signal = new AbortController().signal;

describe('trying again', () => {
  test('ends with the first success', async () => {
    let calls = 0;
    const value = await retrying('Asking', policy, signal, async () => {
      calls += 1;
      if (calls < 3) throw new TemporaryError('busy');
      return calls;
    });
    expect(value).toBe(3);
  });

  test('ends as HubUnreachable after the last attempt, with the last cause', async () => {
    let calls = 0;
    const attempt = async () => {
      calls += 1;
      throw new TemporaryError(`host answered ${500 + calls}`);
    };
    await expect(retrying('Asking', policy, signal, attempt)).rejects.toMatchObject({
      reason: 'HubUnreachable',
      message: expect.stringContaining('Asking failed 3 times, last with: host answered 503.'),
    });
    expect(calls).toBe(3);
  });

  test('counts anew after progress', async () => {
    let calls = 0;
    await retrying('Asking', policy, signal, async (progress) => {
      calls += 1;
      if (calls < 10) {
        progress();
        throw new TemporaryError('cut');
      }
    });
    expect(calls).toBe(10);
  });

  test('does not happen for other errors', async () => {
    const mistake = new TypeError('a mistake of ours');
    const result = retrying('Asking', policy, signal, () => Promise.reject(mistake));
    await expect(result).rejects.toBe(mistake);
  });

  test('stops when it is told to', async () => {
    const stop = new AbortController();
    const slow = { attempts: 3, baseMs: 600_000, maxMs: 600_000 };
    const result = retrying('Asking', slow, stop.signal, () => Promise.reject(new TemporaryError('busy')));
    stop.abort();
    await expect(result).rejects.toThrow('aborted');
  });
});

describe('the wait', () => {
  const real = { attempts: 8, baseMs: 1_000, maxMs: 60_000 };

  test('doubles, less up to a half at random, and never passes the maximum', () => {
    expect([1, 2, 3, 4].map((failures) => waitMs(real, failures, undefined, 0))).toEqual([1000, 2000, 4000, 8000]);
    expect(waitMs(real, 2, undefined, 0.999)).toBeCloseTo(1001, 0);
    expect(waitMs(real, 30, undefined, 0)).toBe(60_000);
  });

  test('is as long as the hub asks, within the maximum', () => {
    expect(waitMs(real, 1, 5_000, 0)).toBe(5_000);
    expect(waitMs(real, 1, 3_600_000, 0)).toBe(60_000);
  });

  test('is read from Retry-After as seconds or as a date', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('12', now)).toBe(12_000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(retryAfterMs('Thu, 01 Jan 2020 00:00:30 GMT', now)).toBe(0);
    expect(retryAfterMs('', now)).toBeUndefined();
  });
});
