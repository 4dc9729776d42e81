/** Pure: the minutes of which far more requests were late than chance makes of the 5 % that may be. */

/** What was counted of the present minute. */
export interface Minute {
  completed: number;
  late: number;
  countedMs: number;
  /** The fewest replicas that served within it: where they start in half a minute, its end tells of none missing. */
  leastReady: number;
}

export const NO_MINUTE: Minute = { completed: 0, late: 0, countedMs: 0, leastReady: Number.POSITIVE_INFINITY };

/** A minute that is over. */
export interface MinuteReport {
  isBad: boolean;
  late: number;
  leastReady: number;
}

export interface ServedInterval {
  ready: number;
  completed: number;
  late: number;
  /** Requests that are there, and those among them that are late already: nothing completes while nothing serves. */
  inFlight: number;
  lateInFlight: number;
  intervalMs: number;
}

const MINUTE_MS = 60_000;
/** A minute of whose requests so many are late is bad. */
const BAD = 0.15;
/** Of fewer in a minute nothing is concluded: who wakes a deployment at zero by hand waits, as was asked for. */
const LEAST_REQUESTS = 20;

/** Returns the minute after one more interval, and what is to be said of the one that this ended. */
export function addServed(before: Minute, served: ServedInterval): { minute: Minute; ended?: MinuteReport } {
  const minute = {
    completed: before.completed + served.completed,
    late: before.late + served.late,
    countedMs: before.countedMs + served.intervalMs,
    leastReady: Math.min(before.leastReady, served.ready),
  };
  if (minute.countedMs < MINUTE_MS) return { minute };
  const all = minute.completed + served.inFlight;
  const isBad = all >= LEAST_REQUESTS && minute.late + served.lateInFlight > BAD * all;
  return { minute: NO_MINUTE, ended: { isBad, late: minute.late, leastReady: minute.leastReady } };
}
