/**
 * Pure: whether replicas that were let go were missed soon. Load that comes and goes faster than replicas start makes many
 * requests late each time it comes back; after one such return, replicas are kept twice as long as the load was away,
 * for a few hours.
 */

export interface Regret {
  /** When so many replicas were last there and needed: counts fall, times rise. */
  had: readonly { replicas: number; untilMs: number }[];
  /** How long a recommendation counts because of what was missed; 0 of nothing. */
  holdMs: number;
  completed: number;
  late: number;
  countedMs: number;
}

export const NO_REGRET: Regret = { had: [], holdMs: 0, completed: 0, late: 0, countedMs: 0 };

const MINUTE_MS = 60_000;
/** Replicas are kept over an absence of so many starts at most: longer would cost more than the start makes late. */
const MOST_STARTS = 20;
const LONGEST_MS = 2 * 60 * 60_000;
const BEYOND = 2;
const LEAST_OF_NEEDED = 0.7;
/** Until what was learned is halved. */
const HALF_LIFE_MS = 8 * 60 * 60_000;
/** A minute of whose requests so many are late is bad: far more than chance makes of 5 %. */
const BAD = 0.15;
/** Of fewer in a minute nothing is concluded: who wakes a deployment at zero by hand waits, as was asked for. */
const LEAST_REQUESTS = 20;

export interface RegretInput {
  ready: number;
  /** Replicas that the present load needs. */
  needed: number;
  completed: number;
  late: number;
  /** Requests that are there, and those among them that are late already: nothing completes while nothing serves. */
  inFlight: number;
  lateInFlight: number;
  /** How long a replica takes to start. */
  loadTimeMs: number;
  intervalMs: number;
  nowMs: number;
}

/** Returns the regret after one more interval. */
export function addInterval(before: Regret, input: RegretInput): Regret {
  const { ready, needed, completed, late, loadTimeMs, intervalMs, nowMs } = input;
  const longestMs = Math.min(LONGEST_MS, MOST_STARTS * loadTimeMs);
  // From when they were needed: replicas are kept from then, not from when they were let go.
  const used = Math.min(ready, needed);
  const had = before.had.filter(({ replicas, untilMs }) => replicas > used && untilMs > nowMs - longestMs);
  const next = {
    had: [...had, { replicas: used, untilMs: nowMs }],
    holdMs: before.holdMs * 0.5 ** (intervalMs / HALF_LIFE_MS),
    completed: before.completed + completed,
    late: before.late + late,
    countedMs: before.countedMs + intervalMs,
  };
  if (next.countedMs < MINUTE_MS) return next;
  const all = next.completed + input.inFlight;
  const isBad = all >= LEAST_REQUESTS && next.late + input.lateInFlight > BAD * all;
  const most = had[0]?.replicas ?? 0;
  // Where far more is needed than there ever was, keeping that would have made little difference.
  const missed = most < LEAST_OF_NEEDED * needed ? 0 : Math.min(needed, most);
  const last = had.findLast(({ replicas }) => replicas >= missed);
  const holdMs =
    isBad && missed > ready && last !== undefined
      ? Math.max(next.holdMs, Math.min(longestMs, BEYOND * (nowMs - last.untilMs)))
      : next.holdMs;
  return { ...next, holdMs, completed: 0, late: 0, countedMs: 0 };
}
