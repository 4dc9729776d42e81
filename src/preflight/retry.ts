import { setTimeout as sleep } from 'node:timers/promises';
import { DownloadFailure, TemporaryError } from './failure.ts';

export interface RetryPolicy {
  /** How often the same thing may fail in a row. */
  readonly attempts: number;
  /** Wait after the first failure; it doubles with each one, with up to half of it taken off at random. */
  readonly baseMs: number;
  /** Longest wait, also where the other side asks for more. */
  readonly maxMs: number;
}

/** Some two minutes in all: longer troubles are for the kubelet, which starts the container again. */
export const RETRY: RetryPolicy = { attempts: 8, baseMs: 1_000, maxMs: 60_000 };

/**
 * Calls `attempt` until it succeeds. Only a TemporaryError is tried again; an attempt that calls `progress` starts the
 * count anew, so that a long download over a bad line ends as long as it moves.
 * @param what names the undertaking in the message, as in "listing the files of org/model".
 * @throws DownloadFailure HubUnreachable after the last attempt; any other error as it comes.
 */
export async function retrying<T>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal,
  attempt: (progress: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof TemporaryError)) throw error;
      failures += 1;
      if (failures >= policy.attempts) {
        throw new DownloadFailure(
          'HubUnreachable',
          `${what} failed ${failures} times, last with: ${error.message}. ` +
            'Check that the cluster can reach the Hugging Face hub, or its mirror and proxy.',
          { cause: error },
        );
      }
      await sleep(waitMs(policy, failures, error.retryAfterMs, Math.random()), undefined, { signal });
    }
  }
}

/** The wait after `failures` failures in a row, in milliseconds; `random` is in [0, 1). */
export function waitMs(policy: RetryPolicy, failures: number, asked: number | undefined, random: number): number {
  const backoff = policy.baseMs * 2 ** (failures - 1) * (1 - random / 2);
  return Math.min(policy.maxMs, Math.max(backoff, asked ?? 0));
}
