/** Share of a deployment's active requests that may be retries at one time, and how many always may. */
const SHARE = 0.2;
const LEAST = 3;

/**
 * Bounds the retries of one deployment: at most a fifth of its active requests, and at least three, are second or
 * third attempts at one time. A retry beyond that waits its turn, so that a deployment that fails as a whole gets at most
 * 20 % more load. Attempts whose replica died do not come here: they add no load to what there was.
 */
export class RetryBudget {
  #active = 0;
  #retrying = 0;
  readonly #waiting = new Set<() => void>();

  get idle(): boolean {
    return this.#active === 0;
  }

  /** Counts a request as active until the returned function is called. */
  enter(): () => void {
    this.#active += 1;
    return once(() => {
      this.#active -= 1;
    });
  }

  /** Waits for leave to retry; returns how to give it back. Undefined when the signal aborts first. */
  async retry(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#retrying >= this.#allowed) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const turn = (): void => resolve(true);
      const gone = (): void => {
        this.#waiting.delete(turn);
        resolve(false);
      };
      this.#waiting.add(turn);
      signal.addEventListener('abort', gone, { once: true });
      if (signal.aborted) gone();
      const granted = await promise;
      signal.removeEventListener('abort', gone);
      if (!granted) return undefined;
    } else {
      this.#retrying += 1;
    }
    return once(() => {
      this.#retrying -= 1;
      this.#wake();
    });
  }

  get #allowed(): number {
    return Math.max(LEAST, SHARE * this.#active);
  }

  #wake(): void {
    for (const turn of this.#waiting) {
      if (this.#retrying >= this.#allowed) return;
      this.#waiting.delete(turn);
      this.#retrying += 1;
      turn();
    }
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
