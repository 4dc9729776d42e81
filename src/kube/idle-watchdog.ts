/** Aborts a stream that has been silent for too long. */
import { ConnectionError } from './errors.ts';

/** Nothing came for too long: the connection may be dead without either side knowing. */
export class IdleError extends ConnectionError {
  override name = 'IdleError';
}

/** A signal that aborts when `reset` was not called for `idleMs`, or when `parent` aborts. */
export class IdleWatchdog {
  readonly #controller = new AbortController();
  readonly #idleMs: number;
  readonly #parent: AbortSignal;
  readonly #onParent: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(idleMs: number, parent: AbortSignal) {
    this.#idleMs = idleMs;
    this.#parent = parent;
    this.#onParent = (): void => this.abort(parent.reason);
    parent.addEventListener('abort', this.#onParent, { once: true });
    if (parent.aborted) this.#onParent();
    this.reset();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came. */
  reset(): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    this.#timer = setTimeout(() => this.abort(new IdleError(`nothing came for ${this.#idleMs} ms`)), this.#idleMs);
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
    clearTimeout(this.#timer);
  }

  /** Ends the timer and lets go of the parent; call it when the stream has ended. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#onParent);
  }
}
