/** Pure: arrivals and latencies of the last minute, of each deployment that had requests in it. */
import { addCounts, quantilesMs, type Counts } from '../channel/histogram.ts';
import type { Growth } from './recent-loads.ts';

/** Rates and percentiles are over the last minute, in steps of this. */
const SLOT_MS = 5_000;
const SLOTS = 12;
/** A rate over less than this says little. */
const LEAST_MS = 15_000;
/** What is shown live: a rate over the present slot and two before, percentiles over the present one and five before. */
const RATE_SLOTS = 3;
const LATENCY_SLOTS = 6;

interface Slot {
  /** Time divided by SLOT_MS. */
  number: number;
  arrivals: number;
  latency: Counts;
  firstByte: Counts;
}

export interface Traffic {
  /** Requests that arrived, per second. */
  requestsPerSecond: number;
  /** Of the requests completed; undefined where there were none. */
  latencyP95Ms: number | undefined;
}

/** The rate is of the last 10 to 15 s; percentiles, of the last 25 to 30 s, are undefined where nothing was counted. */
export interface RecentTraffic {
  requestsPerSecond: number;
  latencyP50Ms: number | undefined;
  latencyP95Ms: number | undefined;
  firstByteP95Ms: number | undefined;
}

export class TrafficHistory {
  /** When counting began. */
  readonly #since: number;
  /** By UID, oldest slot first. */
  readonly #slots = new Map<string, Slot[]>();

  /** `nowMs` is a clock in milliseconds that never goes back, here and below. */
  constructor(nowMs: number) {
    this.#since = nowMs;
  }

  /** Adds what is new to the present slot. */
  count(uid: string, { arrivals, latency, firstByte }: Growth, nowMs: number): void {
    if (arrivals === 0 && latency.size === 0 && firstByte.size === 0) return;
    const slot = this.#slot(uid, nowMs);
    slot.arrivals += arrivals;
    addCounts(slot.latency, latency);
    addCounts(slot.firstByte, firstByte);
  }

  /** Returns the traffic of the last minute, or of what was seen of it; undefined where that is too little. */
  lastMinute(uid: string, nowMs: number): Traffic | undefined {
    const seenMs = Math.min(nowMs - this.#since, SLOTS * SLOT_MS);
    if (seenMs < LEAST_MS) return undefined;
    const slots = this.#last(uid, SLOTS, nowMs);
    return {
      requestsPerSecond: arrivalsOf(slots) / (seenMs / 1000),
      latencyP95Ms: quantiles(slots, 'latency', [0.95])[0],
    };
  }

  /** Returns the traffic of the last seconds, or of what was seen of them. */
  recent(uid: string, nowMs: number): RecentTraffic {
    const rateMs = (nowMs % SLOT_MS) + (RATE_SLOTS - 1) * SLOT_MS;
    const seenMs = Math.min(rateMs, Math.max(1_000, nowMs - this.#since));
    const slots = this.#last(uid, LATENCY_SLOTS, nowMs);
    const [latencyP50Ms, latencyP95Ms] = quantiles(slots, 'latency', [0.5, 0.95]);
    return {
      requestsPerSecond: arrivalsOf(this.#last(uid, RATE_SLOTS, nowMs)) / (seenMs / 1000),
      latencyP50Ms,
      latencyP95Ms,
      firstByteP95Ms: quantiles(slots, 'firstByte', [0.95])[0],
    };
  }

  forget(uid: string): void {
    this.#slots.delete(uid);
  }

  #last(uid: string, count: number, nowMs: number): Slot[] {
    return (this.#slots.get(uid) ?? []).filter((slot) => slot.number > slotOf(nowMs) - count);
  }

  #slot(uid: string, nowMs: number): Slot {
    const number = slotOf(nowMs);
    let slots = this.#slots.get(uid);
    if (slots === undefined) this.#slots.set(uid, (slots = []));
    const last = slots.at(-1);
    if (last?.number === number) return last;
    const slot = { number, arrivals: 0, latency: new Map(), firstByte: new Map() };
    slots.push(slot);
    while ((slots[0]?.number ?? number) <= number - SLOTS) slots.shift();
    return slot;
  }
}

function slotOf(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS);
}

function arrivalsOf(slots: readonly Slot[]): number {
  return slots.reduce((total, { arrivals }) => total + arrivals, 0);
}

function quantiles(
  slots: readonly Slot[],
  of: 'latency' | 'firstByte',
  asked: readonly number[],
): (number | undefined)[] {
  return quantilesMs(
    slots.map((slot) => slot[of]),
    asked,
  );
}
