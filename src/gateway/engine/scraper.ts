/** Reads /metrics of the replicas that this gateway has sent requests to, for what their answers do not tell. */
import type { Dispatcher } from 'undici';
import type { GatewayLimits } from '../limits.ts';
import type { Deployment, EngineReading, Replica } from '../types.ts';
import { MetricsScan, type EngineMetrics } from './metrics-scan.ts';

/**
 * Part of the interval within which a replica's first reading follows its first request: counters tell nothing until they
 * are read twice.
 */
const FIRST = 0.2;
/** Part of the interval by which one is longer or shorter than the other, so that replicas do not come together. */
const SPREAD = 0.1;

type Limits = Pick<GatewayLimits, 'scrapeIntervalMs' | 'scrapeTimeoutMs' | 'scrapeBytes'>;

export interface EngineScraperOptions {
  dispatcher: Dispatcher;
  limits: Limits;
  /** Called with each replica that was read anew, and with each that serves and could not be. */
  onRead: (deployment: Deployment) => void;
  onFailure: (deployment: Deployment) => void;
}

interface Watched {
  readonly deployment: Deployment;
  readonly replica: Replica;
  /** In flight. */
  requests: number;
  /** Since when there are none. */
  idleSince: number;
  timer: NodeJS.Timeout | undefined;
}

export class EngineScraper {
  readonly #options: EngineScraperOptions;
  readonly #watched = new Map<Replica, Watched>();
  #closed = false;

  constructor(options: EngineScraperOptions) {
    this.#options = options;
  }

  /** A request of the deployment goes to the replica. */
  begin(deployment: Deployment, replica: Replica): void {
    const watched = this.#watched.get(replica);
    if (watched !== undefined) {
      watched.requests += 1;
    } else if (!this.#closed) {
      const first: Watched = { deployment, replica, requests: 1, idleSince: 0, timer: undefined };
      this.#watched.set(replica, first);
      this.#readIn(first, Math.random() * FIRST * this.#options.limits.scrapeIntervalMs);
    }
  }

  /** It has ended. */
  end(replica: Replica): void {
    const watched = this.#watched.get(replica);
    if (watched === undefined) return;
    watched.requests -= 1;
    watched.idleSince = performance.now();
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#watched.values()) clearTimeout(timer);
    this.#watched.clear();
  }

  #readIn(watched: Watched, milliseconds: number): void {
    watched.timer = setTimeout(() => void this.#read(watched), milliseconds);
  }

  /** One reading, and the next while there is a reason for it. */
  async #read(watched: Watched): Promise<void> {
    const { deployment, replica } = watched;
    const { limits, onRead, onFailure } = this.#options;
    const metrics = await this.#metricsOf(replica);
    if (this.#closed) return;
    if (metrics === undefined) {
      // One that leaves ends in the middle, and so do all of a deployment that was deleted.
      if (replica.serving) onFailure(deployment);
    } else {
      replica.engine = reading(metrics, performance.now());
      onRead(deployment);
    }
    // Once more after the last request has ended, so that its tokens are counted.
    const interval = limits.scrapeIntervalMs * (1 - SPREAD + 2 * SPREAD * Math.random());
    const idleMs = watched.requests > 0 ? 0 : performance.now() - watched.idleSince;
    if (idleMs > limits.scrapeIntervalMs) this.#watched.delete(replica);
    else this.#readIn(watched, interval);
  }

  async #metricsOf({ origin }: Replica): Promise<EngineMetrics | undefined> {
    const { dispatcher, limits } = this.#options;
    const signal = AbortSignal.timeout(limits.scrapeTimeoutMs);
    try {
      const { statusCode, body } = await dispatcher.request({ origin, path: '/metrics', method: 'GET', signal });
      const scan = new MetricsScan();
      let bytes = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (statusCode !== 200 || bytes > limits.scrapeBytes) return undefined;
        scan.push(chunk);
      }
      return statusCode === 200 ? scan.end() : undefined;
    } catch {
      return undefined;
    }
  }
}

function reading(metrics: EngineMetrics, now: number): EngineReading {
  const { running, waiting, deferred, promptTokens, generatedTokens, kvCacheUsage } = metrics;
  return { at: now, waiting, kvCacheUsage, totals: { at: now, running, deferred, promptTokens, generatedTokens } };
}
