/** Exponential backoff with jitter. */

export interface BackoffLimits {
  baseMs: number;
  maxMs: number;
}

/**
 * Returns the delay in milliseconds before retry number `attempt` (0 is the first): `base * 2^attempt`, at most
 * `max`, of which a random half is kept or dropped so that many clients do not return in step.
 */
export function backoffDelay(attempt: number, limits: BackoffLimits, random: () => number = Math.random): number {
  // 2^31 and more would overflow setTimeout; the limit is reached long before.
  const full = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + random() / 2);
}

/**
 * Returns the delay in milliseconds before retry number `attempt`: the backoff, or what the server asked for where that
 * is longer, and up to a quarter more, so that all whom it asked do not return at once.
 */
export function retryDelay(attempt: number, limits: BackoffLimits, askedMs = 0): number {
  return Math.max(backoffDelay(attempt, limits), askedMs * (1 + Math.random() / 4));
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects: callers look at the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
