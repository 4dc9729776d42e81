/** One timer for each key. */

/** setTimeout's largest delay; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Calls `onDue` with a key when its time has come. */
export class KeyTimers {
  readonly #onDue: (key: string) => void;
  readonly #timers = new Map<string, { dueAt: number; timer: NodeJS.Timeout }>();

  constructor(onDue: (key: string) => void) {
    this.#onDue = onDue;
  }

  /** Sets the key's timer to `ms` from now, unless it is already due earlier. */
  setEarlier(key: string, ms: number): void {
    const delay = Math.min(ms, MAX_TIMEOUT_MS);
    const dueAt = performance.now() + delay;
    const pending = this.#timers.get(key);
    if (pending !== undefined && pending.dueAt <= dueAt) return;
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.#onDue(key);
    }, delay);
    this.#timers.set(key, { dueAt, timer });
  }

  cancel(key: string): void {
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }

  clear(): void {
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
