/**
 * Pure: whether replicas that were let go were missed soon. Load that comes and goes faster than replicas start makes many
 * requests late each time it comes back; after one such return, replicas are kept twice as long as the load was away,
 * for a few hours.
 */
import { halved } from './fading.ts';
import type { MinuteReport } from './minutes.ts';

export interface Regret {
  /** When so many replicas were last there and needed: counts fall, times rise. */
  had: readonly { replicas: number; untilMs: number }[];
  /** How long a recommendation counts because of what was missed; 0 of nothing. */
  holdMs: number;
  /** For how long replicas had been away that were missing within the present minute; 0 of none. */
  awayMs: number;
}

export const NO_REGRET: Regret = { had: [], holdMs: 0, awayMs: 0 };

/** Regret that has faded to less is none any more. */
export const SHORTEST_HOLD_MS = 10_000;
/** Replicas are kept over an absence of so many starts at most: longer would cost more than the start makes late. */
const MOST_STARTS = 20;
/** Where no more may be late, that counts three times: what starts in half a minute is not kept for hours. */
const MOST_STARTS_WHERE_DEAR = 60;
export const LONGEST_HOLD_MS = 2 * 60 * 60_000;
const BEYOND = 2;
const LEAST_OF_NEEDED = 0.7;
/** Until what was learned is halved. */
const HALF_LIFE_MS = 8 * 60 * 60_000;

export interface RegretInput {
  /** Replicas that serve, or would if they had not failed: those that are not were let go. */
  ready: number;
  /** Replicas that the present load needs. */
  needed: number;
  /** The minute that is over with this interval. */
  ended: MinuteReport | undefined;
  /** Requests that may still be late. */
  lateLeft: number;
  /** How long a replica takes to start. */
  loadTimeMs: number;
  intervalMs: number;
  nowMs: number;
}

/** Returns for how long replicas that start in `loadTimeMs` are kept where no more requests may be late. */
export function longestKeptMs(loadTimeMs: number): number {
  return Math.min(LONGEST_HOLD_MS, MOST_STARTS_WHERE_DEAR * loadTimeMs);
}

/** Returns what is left of a hold after so long. */
export function fadedHoldMs(holdMs: number, afterMs: number): number {
  return holdMs * halved(afterMs, HALF_LIFE_MS);
}

/** Returns the regret after one more interval. */
export function addInterval(before: Regret, input: RegretInput): Regret {
  const { ready, needed, ended, lateLeft, loadTimeMs, intervalMs, nowMs } = input;
  // From when they were needed: replicas are kept from then, not from when they were let go.
  const used = Math.min(ready, needed);
  const longestMs = longestKeptMs(loadTimeMs);
  const usualMs = Math.min(longestMs, MOST_STARTS * loadTimeMs);
  // What was there too long ago would hide a little less that was not.
  const had = before.had.filter(({ replicas, untilMs }) => replicas > used && untilMs > nowMs - longestMs);
  const next = {
    had: [...had, { replicas: used, untilMs: nowMs }],
    holdMs: fadedHoldMs(before.holdMs, intervalMs),
    // They may be there again when the minute is over.
    awayMs: needed > ready ? awayFor(had, needed, usualMs, nowMs) : before.awayMs,
  };
  if (ended === undefined) return next;
  // One more such minute is more than may be late.
  // Not of one that slept: whoever wakes it waits for its start, as was asked for.
  const isDear = lateLeft < ended.late && ended.leastReady > 0;
  const worthMs = isDear ? longestMs : usualMs;
  const isMissed = ended.isBad && next.awayMs > 0 && next.awayMs <= worthMs;
  const holdMs = isMissed ? Math.max(next.holdMs, Math.min(worthMs, BEYOND * next.awayMs)) : next.holdMs;
  return { ...next, holdMs, awayMs: 0 };
}

/**
 * Returns how long ago there were replicas for that, or for most of it: within the usual time, else within all that is
 * remembered; 0 where there never were.
 */
function awayFor(had: Regret['had'], needed: number, usualMs: number, nowMs: number): number {
  const recent = had.filter(({ untilMs }) => untilMs > nowMs - usualMs);
  for (const known of [recent, had]) {
    const most = known[0]?.replicas ?? 0;
    // Where far more is needed than there ever was, keeping that would have made little difference.
    const last = known.findLast(({ replicas }) => replicas >= Math.min(needed, most));
    if (most >= LEAST_OF_NEEDED * needed && last !== undefined) return nowMs - last.untilMs;
  }
  return 0;
}
