/** One request of a batch while it lasts: it is no arrival, its time is nobody's target, and it wakes nothing. */
import type { RequestTrack } from './deployment-load.ts';

export class BatchRequest implements RequestTrack {
  readonly #onChange: (change: { active: number; held: number }) => void;
  #held = 0;
  #ended = false;

  /** `onChange` is given how many more, or fewer, requests of batches there are and wait. */
  constructor(onChange: (change: { active: number; held: number }) => void) {
    this.#onChange = onChange;
    onChange({ active: 1, held: 0 });
  }

  held(): void {
    this.#hold(1);
  }

  servedBy(): void {
    this.#hold(0);
  }

  firstByte(): void {}

  end(): void {
    if (this.#ended) return;
    this.#hold(0);
    this.#ended = true;
    this.#onChange({ active: -1, held: 0 });
  }

  #hold(held: 0 | 1): void {
    if (this.#ended || held === this.#held) return;
    this.#onChange({ active: 0, held: held - this.#held });
    this.#held = held;
  }
}
