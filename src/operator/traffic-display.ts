/**
 * The traffic as status shows it: rounded, and changed at most every 15 s and only when it moved by a tenth, so that
 * steady traffic writes nothing.
 */
import type { Traffic } from '../autoscaler/traffic-history.ts';

/** As in `status.scaling`. */
export interface ShownTraffic {
  requestsPerSecond?: string;
  latencyP95Ms?: number;
}

export const DISPLAY_INTERVAL_MS = 15_000;
/** Share of a number that it must have moved by. */
const MOVED = 0.1;
/** Until then a silence may be a change of leaders or gateways; what was shown stays. */
const SILENCE_MS = 30_000;
/** Bounds what is remembered of deployments that have gone. */
const MAX_REMEMBERED = 10_000;

export class TrafficDisplay {
  /** When what is shown of a deployment last changed, by UID. */
  readonly #changedAtMs = new Map<string, number>();

  /**
   * Returns what to show of the deployment `uid`, of which `shown` is shown now, and whether that will change although
   * nothing happens: traffic that ends tells nobody. `nowMs` never goes back.
   */
  show(
    uid: string,
    shown: ShownTraffic,
    input: { traffic: Traffic | undefined; silentMs: number; nowMs: number },
  ): { shown: ShownTraffic; unsettled: boolean } {
    const { traffic, silentMs, nowMs } = input;
    const before = pickShown(shown);
    if (traffic === undefined) {
      // Not yet known, by a leader that is new, or not known any more: either way it is looked at again.
      const passing = silentMs < SILENCE_MS;
      const kept = passing ? before : {};
      return { shown: kept, unsettled: passing || !isAtRest(kept) };
    }
    const next = roundedTraffic(traffic);
    const unsettled = !isAtRest(before) || !isAtRest(next);
    const moved =
      hasMoved(number(before.requestsPerSecond), number(next.requestsPerSecond)) ||
      hasMoved(before.latencyP95Ms, next.latencyP95Ms);
    const due = nowMs - (this.#changedAtMs.get(uid) ?? Number.NEGATIVE_INFINITY) >= DISPLAY_INTERVAL_MS;
    if (!moved || !due) return { shown: before, unsettled };
    this.#remember(uid, nowMs);
    return { shown: next, unsettled };
  }

  #remember(uid: string, nowMs: number): void {
    // Anew at the end, so that the first is the oldest.
    this.#changedAtMs.delete(uid);
    this.#changedAtMs.set(uid, nowMs);
    const [oldest] = this.#changedAtMs.keys();
    if (this.#changedAtMs.size > MAX_REMEMBERED && oldest !== undefined) this.#changedAtMs.delete(oldest);
  }
}

function roundedTraffic({ requestsPerSecond, latencyP95Ms }: Traffic): ShownTraffic {
  return {
    requestsPerSecond: String(rounded(requestsPerSecond)),
    ...(latencyP95Ms !== undefined && { latencyP95Ms: Math.round(rounded(latencyP95Ms)) }),
  };
}

function isAtRest({ requestsPerSecond = '0', latencyP95Ms }: ShownTraffic): boolean {
  return requestsPerSecond === '0' && latencyP95Ms === undefined;
}

function pickShown({ requestsPerSecond, latencyP95Ms }: ShownTraffic): ShownTraffic {
  return {
    ...(requestsPerSecond !== undefined && { requestsPerSecond }),
    ...(latencyP95Ms !== undefined && { latencyP95Ms }),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(2));
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function hasMoved(before: number | undefined, after: number | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after;
  return before !== after && Math.abs(after - before) >= MOVED * before;
}
