/**
 * Pure: failed attempts to sign in, of one keyId from one address. It answers failures alone: keyIds are no secrets, and
 * behind a proxy everybody has its address, so that anybody could lock a key's owner out. A secret has 256 bits and cannot be guessed; this only
 * tells a program that tries to stop.
 */

const MOST_FAILURES = 10;
const WINDOW_MS = 60_000;
/** The oldest are forgotten beyond. */
const MAX_KNOWN = 10_000;

export class SignInLimit {
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  /** Returns whether a failure of `who` is one of the first; `nowMs` is a clock in milliseconds, here and below. */
  allows(who: string, nowMs: number): boolean {
    const known = this.#failures.get(who);
    return known === undefined || nowMs - known.sinceMs > WINDOW_MS || known.count < MOST_FAILURES;
  }

  /** An attempt failed. */
  failed(who: string, nowMs: number): void {
    const known = this.#failures.get(who);
    if (known !== undefined && nowMs - known.sinceMs <= WINDOW_MS) {
      known.count += 1;
      return;
    }
    this.#failures.delete(who);
    this.#failures.set(who, { count: 1, sinceMs: nowMs });
    if (this.#failures.size > MAX_KNOWN) this.#failures.delete(this.#failures.keys().next().value ?? '');
  }
}
