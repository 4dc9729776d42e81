/** The last samples of a signal that comes at an even pace. */
export class SlidingMean {
  readonly #size: number;
  readonly #samples: number[] = [];
  #sum = 0;

  constructor(size: number, seed: readonly number[] = []) {
    this.#size = size;
    for (const sample of seed) this.add(sample);
  }

  add(sample: number): void {
    this.#samples.push(sample);
    this.#sum += sample;
    if (this.#samples.length > this.#size) this.#sum -= this.#samples.shift() ?? 0;
  }

  /** Returns the mean of the last samples, at most as many as it keeps; 0 where there are none. */
  get mean(): number {
    // What additions and subtractions leave of a sum of zeros would keep a replica for ever.
    return this.#samples.length === 0 ? 0 : Math.max(0, Math.round(this.#sum * 1e9) / 1e9) / this.#samples.length;
  }
}
