/** Work of which little may go on at one time, and that is waited for a while. */
import { Slots, type SlotLimits } from '../../process/slots.ts';
import { tooManyOfAll, tooManyOfNamespace } from '../errors.ts';

interface Waiting {
  readonly namespace: string;
  readonly begin: (give: () => void) => void;
}

export class Turns {
  readonly #what: string;
  readonly #limits: SlotLimits;
  readonly #waitMs: number;
  readonly #slots: Slots;
  #waiting: Waiting[] = [];

  /** `what` is the plural of what is bounded. How many wait is for the caller to bound. */
  constructor(what: string, limits: SlotLimits, waitMs: number) {
    this.#what = what;
    this.#limits = limits;
    this.#waitMs = waitMs;
    this.#slots = new Slots(limits);
  }

  /** Returns what `work` does, once there is a place for it; throws GatewayError where none is free within the wait. */
  async during<Result>(namespace: string, work: () => Promise<Result>): Promise<Result> {
    const taken = this.#slots.take(namespace);
    const give = typeof taken === 'string' ? await this.#wait(namespace, taken) : taken;
    try {
      return await work();
    } finally {
      give();
      this.#next();
    }
  }

  async #wait(namespace: string, full: keyof SlotLimits): Promise<() => void> {
    return await new Promise((resolve, reject) => {
      const waiting: Waiting = {
        namespace,
        begin: (give) => {
          clearTimeout(timer);
          resolve(give);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(full === 'ofOne' ? tooManyOfNamespace(this.#what, this.#limits.ofOne) : tooManyOfAll(this.#what));
      }, this.#waitMs);
      this.#waiting.push(waiting);
    });
  }

  /** Begins the first for which there is a place; others of its namespace come behind all that wait. */
  #next(): void {
    for (const first of this.#waiting) {
      const give = this.#slots.take(first.namespace);
      if (typeof give === 'string') continue;
      const others = this.#waiting.filter((other) => other !== first);
      this.#waiting = [
        ...others.filter(({ namespace }) => namespace !== first.namespace),
        ...others.filter(({ namespace }) => namespace === first.namespace),
      ];
      first.begin(give);
      return;
    }
  }
}
