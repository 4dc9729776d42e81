/** Reads what the API server answers: errors, and the events of a watch. */
import { ApiError, WatchFormatError } from './errors.ts';
import type { StatusDetails } from './errors.ts';
import type { TransportResponse } from './transport.ts';
import type { KubeObject, WatchEvent } from './types.ts';

/** API servers ask for seconds. A proxy that asks for more than a minute must not blind us for so long. */
const MAX_RETRY_AFTER_MS = 60_000;

/** An error body longer than this is cut: it goes into logs and conditions. */
const MAX_MESSAGE_CHARACTERS = 2000;

interface StatusBody {
  kind?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: StatusDetails | null;
}

function parseStatus(text: string): StatusBody | undefined {
  try {
    const body = JSON.parse(text) as StatusBody | null;
    return body?.kind === 'Status' ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the milliseconds of a Retry-After header in seconds or as a date; undefined where there is none. */
export function retryAfterMs(header: string | string[] | undefined, now: Date = new Date()): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined || value.trim() === '') return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

function statusError(status: StatusBody, code: number, headerMs?: number): ApiError {
  const details = status.details ?? undefined;
  const seconds = details?.retryAfterSeconds;
  return new ApiError((status.message ?? '').slice(0, MAX_MESSAGE_CHARACTERS), {
    status: code,
    reason: status.reason ?? '',
    details,
    retryAfterMs: headerMs ?? (seconds === undefined ? undefined : Math.min(seconds * 1000, MAX_RETRY_AFTER_MS)),
  });
}

/** Reads the body of an error answer and returns the ApiError; `what` names the request where the body says nothing. */
export async function errorFromResponse(response: TransportResponse, what: string): Promise<ApiError> {
  const headerMs = retryAfterMs(response.headers['retry-after']);
  let text = '';
  try {
    text = await response.body.text();
  } catch {
    // The head already says what happened.
  }
  const status = parseStatus(text);
  if (status?.message !== undefined) return statusError(status, response.statusCode, headerMs);
  const message = `${what} was answered ${response.statusCode}: ${text.trim()}`.slice(0, MAX_MESSAGE_CHARACTERS);
  return new ApiError(message, { status: response.statusCode, retryAfterMs: headerMs });
}

/** Returns the event in `line`. Throws ApiError for an ERROR event, WatchFormatError for anything that is no event. */
export function decodeWatchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: { type?: unknown; object?: unknown } | null;
  try {
    event = JSON.parse(line) as typeof event;
  } catch (error) {
    throw new WatchFormatError('a line of the watch is no JSON', { cause: error });
  }
  if (typeof event !== 'object' || event === null || typeof event.object !== 'object' || event.object === null) {
    throw new WatchFormatError('a line of the watch is no event');
  }
  if (event.type === 'ERROR') {
    const status = event.object as StatusBody;
    throw statusError(status, status.code ?? 500);
  }
  const object = event.object as Partial<KubeObject>;
  const known = event.type === 'ADDED' || event.type === 'MODIFIED' || event.type === 'DELETED';
  if (event.type === 'BOOKMARK' || (known && typeof object.metadata?.name === 'string')) return event as WatchEvent<T>;
  throw new WatchFormatError('a line of the watch has an unknown type or an object without a name');
}
