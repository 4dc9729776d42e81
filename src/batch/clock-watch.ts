/** Whether the machine's clock can be believed by what removes things for being old. */

/** No correction of a clock that runs is as large. */
const JUMP_MS = 600_000;
/** For so long after a jump nothing is removed: time for somebody to see it, and for a correction. */
const DISTRUST_MS = 3_600_000;

export interface Clocks {
  /** Unix milliseconds; may jump. */
  wall(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
}

export class ClockWatch {
  readonly #clocks: Clocks;
  #aheadMs: number;
  #distrustUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#aheadMs = clocks.wall() - clocks.monotonic();
  }

  /** False where the wall's clock has jumped since this was asked last, and for an hour from then on. */
  isSteady(): boolean {
    const nowMs = this.#clocks.monotonic();
    const aheadMs = this.#clocks.wall() - nowMs;
    if (Math.abs(aheadMs - this.#aheadMs) > JUMP_MS) this.#distrustUntilMs = nowMs + DISTRUST_MS;
    this.#aheadMs = aheadMs;
    return nowMs >= this.#distrustUntilMs;
  }
}
