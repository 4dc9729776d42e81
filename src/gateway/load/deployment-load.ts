/** What a gateway counts of one deployment; totals only grow, so that a report that is lost loses nothing. */
import { observe, type Counts } from '../../channel/histogram.ts';
import type { DeploymentReport, EngineReport, ReplicaReport } from '../../channel/messages.ts';
import type { Deployment, EngineReading } from '../types.ts';
import { BatchRequest } from './batch-request.ts';

/** Older than this what an engine said is not repeated. */
const ENGINE_TOLD_MS = 15_000;

/**
 * How a request ended: `failed` by no fault of its client; `cancelled` where its client went away, or asked for what the
 * engine refuses.
 */
export type RequestEnd = 'completed' | 'failed' | 'cancelled';

/** What the course of a request tells. Times are in milliseconds of one clock. */
export interface RequestTrack {
  /** It waits for a replica from now on. */
  held(now: number): void;
  /** A replica works on it. */
  servedBy(podUid: string): void;
  /** The first bytes of its answer came. */
  firstByte(now: number): void;
  /** It is over; a second call does nothing. */
  end(how: RequestEnd, now: number): void;
}

/** What there is at a moment. */
export interface Standing {
  readonly onlineHeld: number;
  readonly batchHeld: number;
  /** Since the last request of a client ended; 0 while there is one. */
  readonly onlineIdleMs: number;
}

/** One request of a client while it lasts. */
export class RequestLoad implements RequestTrack {
  readonly startedAt: number;
  /** The pod that works on it; undefined while it waits. */
  podUid: string | undefined;
  readonly #load: DeploymentLoad;

  constructor(load: DeploymentLoad, startedAt: number) {
    this.#load = load;
    this.startedAt = startedAt;
  }

  held(now: number): void {
    this.#load.held(this, now);
  }

  servedBy(podUid: string): void {
    this.podUid = podUid;
    this.#load.served(this);
  }

  firstByte(now: number): void {
    this.#load.firstByte(now - this.startedAt);
  }

  end(how: RequestEnd, now: number): void {
    this.#load.ended(this, how, now);
  }
}

export class DeploymentLoad {
  readonly deployment: Deployment;
  /** The tracker's number of the last change. */
  version = 0;
  /** When it last changed, a `now` value. */
  changedAt = 0;
  readonly #onChange: (load: DeploymentLoad, urgent: boolean) => void;
  /** In order of arrival, so that the first is the oldest. */
  readonly #active = new Set<RequestLoad>();
  readonly #held = new Map<RequestLoad, number>();
  readonly #ends: Record<RequestEnd, number> = { completed: 0, failed: 0, cancelled: 0 };
  readonly #latency: Counts = new Map();
  readonly #firstByte: Counts = new Map();
  #arrivals = 0;
  #batchActive = 0;
  #batchHeld = 0;
  /** Since then no request of a client is under way. */
  #idleSince: number;

  /** `idleSince` is when counting began; `onChange` is called with each change; urgent is one that should be told at once. */
  constructor(deployment: Deployment, idleSince: number, onChange: (load: DeploymentLoad, urgent: boolean) => void) {
    this.deployment = deployment;
    this.#idleSince = idleSince;
    this.#onChange = onChange;
  }

  /** Whether the next report differs from the last even without another change: ages grow, marks must be repeated. */
  get active(): boolean {
    return this.#active.size + this.#batchActive > 0 || this.deployment.replicas().some(({ draining }) => draining);
  }

  /** Counts a request that arrives. */
  arrive(now: number): RequestLoad {
    const request = new RequestLoad(this, now);
    this.#active.add(request);
    this.#arrivals += 1;
    this.#onChange(this, false);
    return request;
  }

  /** Takes a request of a batch, which the report counts on its replica and nowhere else: drains rest on that. */
  arriveBatch(): RequestTrack {
    return new BatchRequest(({ active, held }) => {
      this.#batchActive += active;
      this.#batchHeld += held;
      this.#onChange(this, false);
    });
  }

  /** Returns what there is at `now`. */
  standing(now: number): Standing {
    return {
      onlineHeld: this.#held.size,
      batchHeld: this.#batchHeld,
      onlineIdleMs: this.#active.size > 0 ? 0 : now - this.#idleSince,
    };
  }

  held(request: RequestLoad, now: number): void {
    // Whoever could start a replica should hear of the first that waits at once; the others come with the report.
    const urgent = this.#held.size === 0;
    this.#held.set(request, now);
    this.#onChange(this, urgent);
  }

  served(request: RequestLoad): void {
    this.#held.delete(request);
  }

  firstByte(milliseconds: number): void {
    observe(this.#firstByte, milliseconds);
  }

  ended(request: RequestLoad, how: RequestEnd, now: number): void {
    if (!this.#active.delete(request)) return;
    this.#held.delete(request);
    if (this.#active.size === 0) this.#idleSince = now;
    this.#ends[how] += 1;
    if (how === 'completed') observe(this.#latency, now - request.startedAt);
    this.#onChange(this, false);
  }

  /** Returns the whole state at `now`. */
  report(now: number): DeploymentReport {
    const ages: Counts = new Map();
    const oldest = new Map<string, number>();
    for (const { startedAt, podUid } of this.#active) {
      observe(ages, now - startedAt);
      if (podUid !== undefined && !oldest.has(podUid)) oldest.set(podUid, now - startedAt);
    }
    const firstHeld = this.#held.values().next().value;
    return {
      uid: this.deployment.uid,
      arrivals: this.#arrivals,
      ...this.#ends,
      latency: this.#latency,
      firstByte: this.#firstByte,
      held: this.#held.size,
      oldestHeldMs: firstHeld === undefined ? 0 : now - firstHeld,
      ages,
      replicas: this.#replicas(oldest, now),
    };
  }

  /** The count on the replica is exact from the moment a request is given to it: drains rest on it. */
  #replicas(oldest: ReadonlyMap<string, number>, now: number): ReplicaReport[] {
    return this.deployment.replicas().flatMap((replica) => {
      const { podUid, inFlight, batchInFlight, outstandingTokens, draining, engine } = replica;
      const told = engine && engineReport(engine, now);
      if (inFlight === 0 && !draining && told === undefined) return [];
      return {
        podUid,
        inFlight,
        ...(batchInFlight > 0 && { batchInFlight }),
        tokens: Math.round(outstandingTokens),
        oldestMs: oldest.get(podUid) ?? 0,
        draining,
        ...(told && { engine: told }),
      };
    });
  }
}

function engineReport({ at, waiting, kvCacheUsage, totals }: EngineReading, now: number): EngineReport | undefined {
  if (now - at > ENGINE_TOLD_MS) return undefined;
  const counted = totals && {
    ageMs: now - totals.at,
    running: totals.running,
    promptTokens: totals.promptTokens,
    generatedTokens: totals.generatedTokens,
  };
  return { ageMs: now - at, waiting, kvCacheUsage, ...(counted && { totals: counted }) };
}
