/** Waiting for a condition instead of for a time. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Runs `check` until it no longer throws and returns its result; after `timeoutMs` throws what it threw last, so that
 * a failed expectation shows its difference.
 */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = 15_000, intervalMs = 50): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(intervalMs);
    }
  }
}
