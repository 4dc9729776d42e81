import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks `attempt` again and again, `intervalMs` apart, until it returns something other than undefined, and returns
 * that. An attempt that throws counts as undefined. Throws after `timeoutMs`, naming `what` and the last error.
 */
export async function waitFor<T>(
  what: string,
  attempt: () => Promise<T | undefined>,
  { timeoutMs = 30_000, intervalMs = 100 } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) {
      const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
      throw new Error(`${what} did not happen within ${timeoutMs / 1000} s${reason}`, { cause: lastError });
    }
    await delay(intervalMs);
  }
}
