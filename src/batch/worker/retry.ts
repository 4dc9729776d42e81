/** Pure: which answers are results, and after what pause a request is sent again. */
import type { Answer } from '../gateway.ts';

/** How often one request was tried, by how it ended. */
export interface Tries {
  /** Answered 500. */
  readonly failed: number;
  /** Answered 502. */
  readonly bad: number;
  /** A replica was lost over it, or took too long. */
  readonly lost: number;
  /** Of these, after other requests of the batch were answered. */
  readonly lostAlone: number;
  /** How many requests of the batch were answered when the last replica was lost over it. */
  readonly answeredThen: number;
}

export const NO_TRIES: Tries = { failed: 0, bad: 0, lost: 0, lostAlone: 0, answeredThen: -1 };

/** A request that engines fail at is its own fault. */
const MOST_FAILED = 3;
/** A node or an engine that comes back does so within the pauses of so many. */
const MOST_BAD = 20;
/** So is one over which replica after replica is lost: it must not take them down until its window ends. */
const MOST_LOST = { alone: 10, atAll: 20 };

export type Verdict =
  | { readonly kind: 'result' }
  /** Send it again; `tries` is what to judge the next answer by. */
  | { readonly kind: 'again'; readonly tries: Tries; readonly afterMs: number }
  /** The key or the model is gone, which were there when the input was checked. */
  | { readonly kind: 'missing'; readonly what: 'key' | 'model' };

/**
 * Returns what to do about an answer. `answered` is how many requests of the batch were answered so far; `backoffMs` is the
 * pause where the answer asks for none that is longer.
 */
export function judgeAnswer(answer: Answer, tries: Tries, answered: number, backoffMs: number): Verdict {
  const afterMs = Math.max(backoffMs, (answer.retryAfterSeconds ?? 0) * 1000);
  const again: Verdict = { kind: 'again', tries, afterMs };
  switch (answer.status) {
    case 401:
      return { kind: 'missing', what: 'key' };
    case 403:
      return errorCode(answer) === 'missing_scope' ? { kind: 'missing', what: 'key' } : { kind: 'result' };
    case 404:
      return errorCode(answer) === 'model_not_found' ? { kind: 'missing', what: 'model' } : { kind: 'result' };
    case 429:
      return again;
    case 500:
      return tries.failed + 1 >= MOST_FAILED
        ? { kind: 'result' }
        : { kind: 'again', tries: { ...tries, failed: tries.failed + 1 }, afterMs };
    case 502:
      return tries.bad + 1 >= MOST_BAD
        ? { kind: 'result' }
        : { kind: 'again', tries: { ...tries, bad: tries.bad + 1 }, afterMs };
    case 503:
      return errorCode(answer) === 'upstream_error' ? judgeLost(tries, answered, afterMs) : again;
    case 504:
      return judgeLost(tries, answered, afterMs);
    default:
      return { kind: 'result' };
  }
}

function judgeLost(tries: Tries, answered: number, afterMs: number): Verdict {
  const lost = tries.lost + 1;
  // Where nothing else is answered either, it may not be this request's fault.
  const lostAlone = answered > tries.answeredThen ? tries.lostAlone + 1 : tries.lostAlone;
  if (lost >= MOST_LOST.atAll || lostAlone >= MOST_LOST.alone) return { kind: 'result' };
  return { kind: 'again', tries: { ...tries, lost, lostAlone, answeredThen: answered }, afterMs };
}

function errorCode({ body }: Answer): unknown {
  try {
    return (JSON.parse(body.toString('utf8')) as { error?: { code?: unknown } }).error?.code;
  } catch {
    return undefined;
  }
}
