/** Whether somebody is signed in, and what the page shows for it. */
import { askAgainMs, fetchSession, isUnknownYet, type Session } from './api.ts';

export type Standing =
  | { readonly kind: 'asking' }
  | { readonly kind: 'unreachable' }
  /** With `askAgainMs` the gateway may come to know the session: it is asked again after so long, beside the form. */
  | { readonly kind: 'signed-out'; readonly notice?: string; readonly askAgainMs?: number }
  | { readonly kind: 'signed-in'; readonly session: Session };

const UNKNOWN_YET = 'The gateway is starting and may not know your session yet. This page asks again by itself.';
const FORGOTTEN = 'The gateway does not know your session any more. Sign in again.';

/** Asks the gateway who is signed in, and returns what it says. Never rejects. */
export async function askStanding(): Promise<Standing> {
  try {
    const session = await fetchSession();
    return session === undefined ? { kind: 'signed-out' } : { kind: 'signed-in', session };
  } catch (error) {
    if (!isUnknownYet(error)) return { kind: 'unreachable' };
    return { kind: 'signed-out', notice: UNKNOWN_YET, askAgainMs: askAgainMs(error) };
  }
}

/** Returns what to show after `before`, now that the gateway was asked. */
export function standingAfter(before: Standing, asked: Standing): Standing {
  const hadSession = before.kind === 'signed-in' || (before.kind === 'signed-out' && before.askAgainMs !== undefined);
  if (!hadSession) return asked;
  // What is shown, or typed, stays: it is asked again. A copy, since that goes by there being another.
  if (asked.kind === 'unreachable') return { ...before };
  return asked.kind === 'signed-out' ? { notice: FORGOTTEN, ...asked } : asked;
}
