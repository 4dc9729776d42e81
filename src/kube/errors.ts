/** What can go wrong between us and the API server, as classes that callers can tell apart. */

/** The fields of a `Status` object that callers use. */
export interface StatusDetails {
  name?: string;
  kind?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** The API server answered with an error. */
export class ApiError extends Error {
  /** HTTP status; 410 for an in-stream "too old resource version". */
  readonly status: number;
  /** The reason of the Status object, such as `NotFound`; empty where the body was no Status. */
  readonly reason: string;
  readonly details?: StatusDetails;
  /** From the Retry-After header or the Status object. */
  readonly retryAfterMs?: number;

  constructor(
    message: string,
    fields: { status: number; reason?: string; details?: StatusDetails | undefined; retryAfterMs?: number | undefined },
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = fields.status;
    this.reason = fields.reason ?? '';
    if (fields.details !== undefined) this.details = fields.details;
    if (fields.retryAfterMs !== undefined) this.retryAfterMs = fields.retryAfterMs;
  }
}

/** The API server could not be reached, or the connection broke, or no answer came in time. A write may have happened. */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
}

/** A watch sent what is no watch event: a garbled line, one cut short, or one beyond the size limit. */
export class WatchFormatError extends Error {
  override name = 'WatchFormatError';
}

/** Thrown by a queue's process function: do not retry this key until something changes. */
export class TerminalError extends Error {
  override name = 'TerminalError';
}

/** Leadership is over: this client writes no more. */
export class WritesEnded extends Error {
  override name = 'WritesEnded';

  constructor(options?: ErrorOptions) {
    super('the write was not sent, or its outcome is unknown, because this process no longer leads', options);
  }
}

function hasStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}

/** True for 404. */
export function isNotFound(error: unknown): boolean {
  return hasStatus(error, 404);
}

/** True for 409 of any kind: a stale resourceVersion, another uid, a field manager in the way, or an existing name. */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409);
}

/** True for 422: what was written breaks a rule of its kind, and does so whenever it is written again. */
export function isInvalid(error: unknown): boolean {
  return hasStatus(error, 422);
}

/** True for a create whose name is taken. */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}

/** True for a create in a namespace that is being deleted: it is never taken, and what is there goes. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError && (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}

/** True for 410: the resourceVersion or continue token is too old. */
export function isGone(error: unknown): boolean {
  return hasStatus(error, 410);
}

/** Returns the error's text and that of its causes, joined by `: `, for one log line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message === '' ? error.name : error.message;
  return error.cause === undefined ? own : `${own}: ${describeError(error.cause)}`;
}
