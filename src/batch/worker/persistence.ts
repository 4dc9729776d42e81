/** Trying again while the store is full or cannot be reached. */
import { pause, retryDelay } from '../../kube/backoff.ts';
import { StoreFull, StoreUnavailable } from '../../store/object-store.ts';

const BACKOFF = { baseMs: 1000, maxMs: 30_000 };

/** What is told of a store in trouble: a sentence, and undefined once it works again. */
export type OnTrouble = (trouble: string | undefined) => void;

/**
 * Returns what `operation` does, which is done again from its beginning while the store is full or cannot be reached.
 * Throws anything else that it throws, and the reason of `signal` once that aborts.
 */
export async function persistently<T>(
  operation: () => Promise<T>,
  onTrouble: OnTrouble,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const result = await operation();
      if (attempt > 0) onTrouble(undefined);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StoreFull || error instanceof StoreUnavailable)) throw error;
      onTrouble(describe(error));
      await pause(retryDelay(attempt, BACKOFF), signal);
    }
  }
}

function describe(error: StoreFull | StoreUnavailable): string {
  return error instanceof StoreFull
    ? 'The store of files is full; nothing is lost, and work goes on once files were deleted or it was made larger.'
    : 'The store of files cannot be reached; nothing is lost, and work goes on once it can.';
}
