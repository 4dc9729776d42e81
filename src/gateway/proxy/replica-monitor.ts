/** Finds replicas that died without closing their connections. */
import type { Dispatcher } from 'undici';
import type { GatewayLimits } from '../limits.ts';
import type { Replica } from '../types.ts';

interface Watched {
  readonly replica: Replica;
  /** One a request in flight. */
  readonly onDead: Set<() => void>;
  misses: number;
  probing: boolean;
}

/** Asks /health of every replica with requests in flight, and of no other. */
export class ReplicaMonitor {
  readonly #dispatcher: Dispatcher;
  readonly #limits: Pick<GatewayLimits, 'probeIntervalMs' | 'probeMisses'>;
  readonly #onDead: (replica: Replica) => void;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** `onDead` hears of each replica that missed too many probes, before its requests do. */
  constructor(
    dispatcher: Dispatcher,
    limits: Pick<GatewayLimits, 'probeIntervalMs' | 'probeMisses'>,
    onDead: (replica: Replica) => void,
  ) {
    this.#dispatcher = dispatcher;
    this.#limits = limits;
    this.#onDead = onDead;
  }

  /** Watches the replica for a request in flight; returns how to stop that. `onDead` may be called once. */
  watch(replica: Replica, onDead: () => void): () => void {
    let watched = this.#watched.get(replica.podUid);
    if (watched === undefined) {
      watched = { replica, onDead: new Set(), misses: 0, probing: false };
      this.#watched.set(replica.podUid, watched);
    }
    watched.onDead.add(onDead);
    this.#timer ??= setInterval(() => this.#probeAll(), this.#limits.probeIntervalMs);
    const entry = watched;
    return () => {
      entry.onDead.delete(onDead);
      if (entry.onDead.size > 0 || this.#watched.get(replica.podUid) !== entry) return;
      this.#watched.delete(replica.podUid);
      if (this.#watched.size === 0) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #probeAll(): void {
    for (const watched of this.#watched.values()) {
      if (!watched.probing) void this.#probe(watched);
    }
  }

  async #probe(watched: Watched): Promise<void> {
    watched.probing = true;
    const healthy = await this.#isHealthy(watched.replica.origin);
    watched.probing = false;
    watched.misses = healthy ? 0 : watched.misses + 1;
    if (watched.misses < this.#limits.probeMisses || watched.onDead.size === 0) return;
    watched.misses = 0;
    this.#onDead(watched.replica);
    for (const onDead of watched.onDead) onDead();
  }

  async #isHealthy(origin: string): Promise<boolean> {
    // A little less than the interval, so that a probe that hangs costs one turn and not two.
    const signal = AbortSignal.timeout(this.#limits.probeIntervalMs * 0.9);
    try {
      const { statusCode, body } = await this.#dispatcher.request({ origin, path: '/health', method: 'GET', signal });
      await body.dump();
      return statusCode < 500;
    } catch {
      return false;
    }
  }
}
