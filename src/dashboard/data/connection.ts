/** One stream of events that is followed over every end of it. */
import { ApiError, askAgainMs, call, isUnknownYet } from './api.ts';
import { readEvents, type ServerSentEvent } from './sse.ts';

/** How the stream stands: of `lost`, what is shown is stale since then. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /**
   * `since` is Unix seconds; `why` is a sentence of the gateway, where it answered; `unknownForMs` is how long it has said
   * nothing but that it does not know the session yet.
   */
  | { readonly state: 'lost'; readonly since: number; readonly why?: string; readonly unknownForMs?: number }
  /** Asking again does not help. */
  | { readonly state: 'refused'; readonly error: ApiError };

/** The gateway sends a comment every 15 s: after this long without a word the connection is dead. */
const SILENCE_MS = 40_000;
/** Within this a gateway has heard of all sessions, where an operator leads. */
const UNKNOWN_MS = 30_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

/**
 * Returns how long to wait after so many failures in a row, in milliseconds: doubling, and by half at random (`random` from 0
 * to 1), so that all pages do not come at once to a gateway that starts.
 */
export function reconnectDelayMs(failures: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
  return longest * (0.5 + random / 2);
}

/** Whether the session stays unknown, so that GET /session has to say whether to sign in again. */
export function staysUnknown(connection: Connection): boolean {
  return connection.state === 'lost' && (connection.unknownForMs ?? 0) >= UNKNOWN_MS;
}

export interface Follower {
  readonly onEvent: (event: ServerSentEvent) => void;
  readonly onConnection: (connection: Connection) => void;
}

/** Follows the stream at `path` until `signal` aborts or the gateway refuses it for good. */
export async function follow(path: string, { onEvent, onConnection }: Follower, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let lostSince: number | undefined;
  let unknownSinceMs: number | undefined;
  while (!signal.aborted) {
    let isLive = false;
    const take = (event: ServerSentEvent): void => {
      onEvent(event);
      if (isLive) return;
      isLive = true;
      failures = 0;
      lostSince = undefined;
      onConnection({ state: 'live' });
    };
    const refusal = await readOnce(path, signal, take).catch((error: unknown) =>
      error instanceof ApiError ? error : undefined,
    );
    if (signal.aborted) return;
    if (refusal !== undefined && isFinal(refusal)) {
      onConnection({ state: 'refused', error: refusal });
      return;
    }
    lostSince ??= Date.now() / 1000;
    const lost = { state: 'lost', since: lostSince, ...(refusal && { why: refusal.message }) } as const;
    if (isUnknownYet(refusal)) {
      unknownSinceMs ??= performance.now();
      onConnection({ ...lost, unknownForMs: performance.now() - unknownSinceMs });
    } else {
      unknownSinceMs = undefined;
      onConnection(lost);
    }
    failures++;
    const delayMs = isUnknownYet(refusal) ? askAgainMs(refusal) : reconnectDelayMs(failures, Math.random());
    await untilWorthTrying(delayMs, signal);
  }
}

/** A key or a name that the gateway does not take; it may be overloaded (429) or about to stop. */
function isFinal({ status }: ApiError): boolean {
  return [401, 403, 404].includes(status);
}

async function readOnce(path: string, signal: AbortSignal, onEvent: Follower['onEvent']): Promise<undefined> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENCE_MS);
  };
  try {
    const accept = { accept: 'text/event-stream' };
    const { body } = await call(path, { headers: accept, signal: AbortSignal.any([signal, silent.signal]) });
    if (body !== null) for await (const event of readEvents(body, heard)) onEvent(event);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits; less when the network is back or the reader is. */
async function untilWorthTrying(delayMs: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  await new Promise<void>((resolve) => {
    const options = { signal: over.signal };
    const timer = setTimeout(resolve, delayMs);
    over.signal.addEventListener('abort', () => clearTimeout(timer));
    globalThis.addEventListener('online', () => resolve(), options);
    document.addEventListener('visibilitychange', () => !document.hidden && resolve(), options);
    signal.addEventListener('abort', () => resolve(), options);
  });
  over.abort();
}
