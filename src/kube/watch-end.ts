/** Why a watch, or the list before it, ended. */
import { ApiError, ConnectionError, WatchFormatError, isGone } from './errors.ts';
import { IdleError } from './idle-watchdog.ts';
import { StaleListError } from './lister.ts';

/** The watch did not deliver what a list shows. */
export class MissedError extends Error {
  override name = 'MissedError';
}

export interface WatchEnd {
  /** The metric's label; `closed` is the only end that is normal. */
  label: string;
  retryAfterMs?: number;
}

/** Returns what the error says of the end. */
export function watchEndOf(error: unknown): WatchEnd {
  if (error instanceof MissedError) return { label: 'missed' };
  if (error instanceof IdleError) return { label: 'idle' };
  if (isGone(error)) return { label: 'expired' };
  if (error instanceof StaleListError) return { label: 'stale-list' };
  if (error instanceof ApiError) {
    return {
      label: String(error.status),
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    };
  }
  if (error instanceof WatchFormatError) return { label: 'garbled' };
  if (error instanceof ConnectionError) return { label: 'connection' };
  return { label: 'error' };
}
