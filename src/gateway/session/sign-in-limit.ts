/**
 * Pure: failed attempts to sign in, of one key from one address. A secret has 256 bits and cannot be guessed; this only
 * keeps a program that tries from filling logs and taking the loop. By address alone a proxy in front would be one, by key
 * alone anybody could lock its owner out.
 */

const MOST_FAILURES = 10;
const WINDOW_MS = 60_000;
/** The oldest are forgotten beyond. */
const MAX_KNOWN = 10_000;

export class SignInLimit {
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  /** Returns whether `who` may try; `nowMs` is a clock in milliseconds, here and below. */
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
