/** The memory that bodies of requests take, from their heads to the ends of their answers. */

/** Of the whole, at most this share is one key's, so that no team takes the gateway from the others. */
const SHARE_OF_A_KEY = 0.5;

export class BodyBudget {
  readonly #most: number;
  #taken = 0;
  readonly #byKey = new Map<string, number>();

  /** `most` is in bytes, over all keys. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes room for a body of the key; returns how to give it back, and undefined where there is none. */
  take(key: string, bytes: number): (() => void) | undefined {
    const own = this.#byKey.get(key) ?? 0;
    if (this.#taken + bytes > this.#most || own + bytes > this.#most * SHARE_OF_A_KEY) return undefined;
    this.#taken += bytes;
    this.#byKey.set(key, own + bytes);
    return () => {
      this.#taken -= bytes;
      const left = (this.#byKey.get(key) ?? bytes) - bytes;
      if (left > 0) this.#byKey.set(key, left);
      else this.#byKey.delete(key);
    };
  }
}
