/** Calls of the gateway that the page came from. The session's cookie counts only with the header. */

export const BASE = '/v1';

/** No other origin can send it; see the gateway's sessions. */
const PAGE_HEADERS = { 'x-infer-page': '1' };

/** An answer that is an error; `message` is the gateway's sentence. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly code: string | undefined;
  /** When the gateway wants to be asked again; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string | undefined, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether the gateway may still come to know the session, so that it is worth asking again. */
export function isUnknownYet(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 'session_unknown_yet';
}

/** Returns when to ask again, in milliseconds; not at once, whatever the gateway says. */
export function askAgainMs({ retryAfterMs = 2_000 }: ApiError): number {
  return Math.max(1_000, retryAfterMs);
}

/** Who is signed in. */
export interface Session {
  readonly namespace: string;
  /** Of the key. */
  readonly name: string;
  readonly scopes: readonly string[];
}

/** Returns the answer, whose status is 2xx. Throws an ApiError for another, a TypeError where the gateway is not reached. */
export async function call(
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Response> {
  const response = await fetch(path, {
    ...init,
    headers: {
      ...PAGE_HEADERS,
      ...(init.body !== undefined && { 'content-type': 'application/json' }),
      ...init.headers,
    },
  });
  if (!response.ok) throw toApiError(response.status, await response.text(), response.headers.get('retry-after'));
  return response;
}

/** Returns the error in an answer's body; one that came from a proxy has another shape. `retryAfter` is in seconds. */
export function toApiError(status: number, body: string, retryAfter: string | null = null): ApiError {
  const retryAfterMs = /^\d{1,4}$/.test(retryAfter ?? '') ? Number(retryAfter) * 1000 : undefined;
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown; code?: unknown } };
    if (typeof error?.message === 'string') {
      return new ApiError(status, typeof error.code === 'string' ? error.code : undefined, error.message, retryAfterMs);
    }
  } catch {
    // Not JSON.
  }
  return new ApiError(status, undefined, `The gateway answered with status ${status}.`, retryAfterMs);
}

/** Returns who is signed in; undefined where nobody is. Throws as call(). */
export async function fetchSession(): Promise<Session | undefined> {
  try {
    return (await (await call('/session')).json()) as Session;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

/** Exchanges a key for the session's cookie. Throws as call(). */
export async function signIn(key: string): Promise<void> {
  await call('/session', { method: 'POST', body: JSON.stringify({ key }) });
}

/** Ends the session. Throws as call(). */
export async function signOut(): Promise<void> {
  await call('/session', { method: 'DELETE' });
}

/** Returns what went wrong at sign-in, and what to do. */
export function signInProblem(error: unknown): string {
  if (!(error instanceof ApiError)) return 'The gateway did not answer. Check your connection, then try again.';
  if (error.status === 401) {
    return 'This key is not valid here. Check that you pasted all of it; it may also be revoked or expired. A new one: infer keys create.';
  }
  if (error.status === 403) {
    return 'This key may not look at deployments: it lacks the scope "view". Ask for a key that has it.';
  }
  return `${error.message} Try again shortly.`;
}
