/** Why a batch does not get on: one sentence from each of the things it needs. */

/** A trouble of the store, or of all gateways, that lasts for longer: replicas have nothing to do meanwhile. */
const LASTING_MS = 300_000;

interface Trouble {
  readonly sentence: string;
  /** By the monotonic clock. */
  readonly sinceMs: number;
}

export class Troubles {
  readonly #monotonic: () => number;
  readonly #troubles = new Map<string, Trouble>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Notes what is wrong with `source`; undefined once nothing is. */
  set(source: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#troubles.delete(source);
    else this.#troubles.set(source, { sentence, sinceMs: this.#troubles.get(source)?.sinceMs ?? this.#monotonic() });
  }

  has(source: string): boolean {
    return this.#troubles.has(source);
  }

  /** What came up first of what is wrong now. */
  get first(): string | undefined {
    return this.#troubles.values().next().value?.sentence;
  }

  /** Whether something has been wrong for so long that the batch is to keep no replicas. */
  get lasting(): boolean {
    return [...this.#troubles.values()].some(({ sinceMs }) => this.#monotonic() - sinceMs >= LASTING_MS);
  }
}
