/**
 * The price of a million tokens as status shows it: rounded, and changed at most once a minute and only when it moved by a
 * tenth, so that a steady load writes nothing.
 */

export const PRICE_INTERVAL_MS = 60_000;
/** Share of the price that it must have moved by. */
const MOVED = 0.1;
const DIGITS = 2;
/** Until then a silence may be a change of leaders or gateways, or of scalers; what was shown stays. */
const SILENCE_MS = 180_000;
/** What a few tokens an hour would come to is no price. */
const HIGHEST = 1e9;

interface Memory {
  changedAtMs: number;
  /** When there was last a price. */
  knownAtMs: number;
}

export class PriceDisplay {
  /** By UID of the deployment; only of those that show a price or have one. */
  readonly #memory = new Map<string, Memory>();

  /**
   * Returns what to show of the deployment `uid`, of which `shown` is shown now and `price` is known, and whether it is to
   * be looked at again although nothing happens. `nowMs` never goes back.
   */
  show(
    uid: string,
    shown: string | undefined,
    price: number | undefined,
    nowMs: number,
  ): { shown: string | undefined; unsettled: boolean } {
    const memory = this.#memory.get(uid) ?? { changedAtMs: Number.NEGATIVE_INFINITY, knownAtMs: nowMs };
    const next = price === undefined || !(price < HIGHEST) ? undefined : written(price);
    if (next === undefined) {
      if (shown === undefined || nowMs - memory.knownAtMs >= SILENCE_MS) {
        this.#memory.delete(uid);
        return { shown: undefined, unsettled: false };
      }
      this.#memory.set(uid, memory);
      return { shown, unsettled: true };
    }
    memory.knownAtMs = nowMs;
    this.#memory.set(uid, memory);
    if (!hasMoved(shown, next) || nowMs - memory.changedAtMs < PRICE_INTERVAL_MS) return { shown, unsettled: true };
    memory.changedAtMs = nowMs;
    return { shown: next, unsettled: true };
  }

  /** A deployment was deleted. */
  forget(uid: string): void {
    this.#memory.delete(uid);
  }
}

/** A decimal number as the API writes it: without an exponent. */
function written(price: number): string {
  return String(Number(Number(price.toPrecision(DIGITS)).toFixed(6)));
}

function hasMoved(before: string | undefined, after: string): boolean {
  if (before === undefined) return true;
  const was = Number(before);
  return before !== after && Math.abs(Number(after) - was) >= MOVED * was;
}
