/** Belief in something that may be a passing fault. */

/** Counts what is seen in a row; it is believed after `minCount` sights over at least `minMs`. */
export class Streak {
  readonly #minCount: number;
  readonly #minMs: number;
  #count = 0;
  #since = 0;

  constructor(minCount: number, minMs: number) {
    this.#minCount = minCount;
    this.#minMs = minMs;
  }

  /** It was seen once more; returns whether it is to be believed. */
  add(): boolean {
    const now = performance.now();
    if (this.#count === 0) this.#since = now;
    this.#count += 1;
    return this.#count >= this.#minCount && now - this.#since >= this.#minMs;
  }

  /** Something else was seen. */
  end(): void {
    this.#count = 0;
  }
}
