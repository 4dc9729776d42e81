/** How many of something are under way at one time: of one tenant, say, and of all. */

export interface SlotLimits {
  readonly ofOne: number;
  readonly all: number;
}

export class Slots {
  readonly #limits: SlotLimits;
  #taken = 0;
  readonly #byKey = new Map<string, number>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Takes a place for whom it is; returns how to give it back, once, or which of the limits leaves none. */
  take(key: string): (() => void) | keyof SlotLimits {
    const own = this.#byKey.get(key) ?? 0;
    if (own >= this.#limits.ofOne) return 'ofOne';
    if (this.#taken >= this.#limits.all) return 'all';
    this.#taken += 1;
    this.#byKey.set(key, own + 1);
    return () => {
      this.#taken -= 1;
      const left = (this.#byKey.get(key) ?? 1) - 1;
      if (left > 0) this.#byKey.set(key, left);
      else this.#byKey.delete(key);
    };
  }
}
