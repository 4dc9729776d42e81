import type { Replica } from '../types.ts';

interface State {
  failures: number;
  /** A `now` value; 0 while it is not ejected. */
  ejectedUntil: number;
}

const NONE: ReadonlySet<string> = new Set();
/** Bounds what is remembered of pods that have gone. */
const MAX_REMEMBERED = 10_000;

/** Which replicas are left out for a while because they failed. Times are `now` values in milliseconds. */
export class Ejection {
  readonly #limits: { ejectionFailures: number; ejectionMs: number };
  /** Only replicas whose last answer was a failure. */
  readonly #states = new Map<string, State>();

  constructor(limits: { ejectionFailures: number; ejectionMs: number }) {
    this.#limits = limits;
  }

  succeeded(replica: Replica): void {
    if (this.#states.size > 0) this.#states.delete(replica.podUid);
  }

  /** Counts a failure; returns whether it was the one that ejects. */
  failed(replica: Replica, now: number): boolean {
    const state = this.#state(replica);
    state.failures += 1;
    if (state.failures < this.#limits.ejectionFailures || state.ejectedUntil > now) return false;
    state.ejectedUntil = now + this.#limits.ejectionMs;
    return true;
  }

  /** Leaves the replica out from now on, whatever it did before; returns whether it was in. */
  eject(replica: Replica, now: number): boolean {
    const state = this.#state(replica);
    const wasIn = state.ejectedUntil <= now;
    state.ejectedUntil = now + this.#limits.ejectionMs;
    return wasIn;
  }

  /** Returns the pod UIDs to leave out; none where that would leave no serving replica. */
  ejected(replicas: readonly Replica[], now: number): ReadonlySet<string> {
    if (this.#states.size === 0) return NONE;
    const serving = replicas.filter((replica) => replica.serving);
    const out = serving.filter(({ podUid }) => (this.#states.get(podUid)?.ejectedUntil ?? 0) > now);
    return out.length === 0 || out.length === serving.length ? NONE : new Set(out.map(({ podUid }) => podUid));
  }

  #state(replica: Replica): State {
    let state = this.#states.get(replica.podUid);
    if (state === undefined) {
      const [oldest] = this.#states.keys();
      if (this.#states.size >= MAX_REMEMBERED && oldest !== undefined) this.#states.delete(oldest);
      state = { failures: 0, ejectedUntil: 0 };
      this.#states.set(replica.podUid, state);
    }
    return state;
  }
}
