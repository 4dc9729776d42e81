/** Makes of the simulated fleet what the product's scaler would be told of a real one. */
import type { EngineSample, Observation, TrafficSample } from '../../src/autoscaler/observation.ts';
import { observe, type Counts } from '../../src/channel/histogram.ts';
import type { Fleet } from './fleet.ts';
import type { PolicyView } from './types.ts';

export class Observer {
  readonly #fleet: Fleet;
  readonly #arrivalsMs: Float64Array;
  #lastMs = 0;
  #arrivals = 0;
  #latency: Counts = new Map();

  constructor(fleet: Fleet, arrivalsMs: Float64Array) {
    this.#fleet = fleet;
    this.#arrivalsMs = arrivalsMs;
  }

  arrived(): void {
    this.#arrivals++;
  }

  ended(request: number, nowMs: number): void {
    observe(this.#latency, nowMs - this.#arrivalMs(request));
  }

  /** Returns what a policy may see now, counted since this was last called. */
  take(nowMs: number): PolicyView {
    const intervalMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const observation: Observation = {
      traffic: this.#traffic(intervalMs, nowMs),
      replicas: {
        current: this.#fleet.wanted,
        ready: this.#fleet.ready.length,
        pending: this.#fleet.starting.length,
        blocked: 0,
        blockedBy: undefined,
        startTimesMs: this.#fleet.startTimesMs,
      },
    };
    this.#fleet.startTimesMs = [];
    this.#arrivals = 0;
    this.#latency = new Map();
    return {
      observation,
      replicas: this.#fleet.ready.map((replica) => ({
        inFlight: replica.inFlight,
        waiting: replica.waiting,
        kvCacheUsage: replica.kvCacheUsage(nowMs),
      })),
    };
  }

  #traffic(intervalMs: number, nowMs: number): TrafficSample {
    const { ready, leaving, held } = this.#fleet;
    let inFlight = held.length;
    for (const replica of ready) inFlight += replica.inFlight;
    for (const replica of leaving) inFlight += replica.inFlight;
    const agesNow = (): Counts => this.#ages(nowMs);
    let ages: Counts | undefined;
    return {
      intervalMs,
      arrivals: this.#arrivals,
      latency: this.#latency,
      // Counted only for those who ask, and they ask at once: it is most of the work of an observation.
      get ages() {
        ages ??= agesNow();
        return ages;
      },
      inFlight,
      held: held.length,
      oldestHeldMs: held[0] === undefined ? 0 : nowMs - this.#arrivalMs(held[0]),
      engines: this.#engines(intervalMs, nowMs),
    };
  }

  #ages(nowMs: number): Counts {
    const ages: Counts = new Map();
    const addAge = (request: number) => observe(ages, nowMs - this.#arrivalMs(request));
    for (const replica of [...this.#fleet.ready, ...this.#fleet.leaving]) replica.forEachRequest(addAge);
    this.#fleet.held.forEach(addAge);
    return ages;
  }

  /** Of those that serve: what leaves is drained and asked no more. */
  #engines(intervalMs: number, nowMs: number): EngineSample[] {
    return this.#fleet.ready.map((replica) => {
      const { number, waiting } = replica;
      const { runningMs, promptTokens, generatedTokens } = replica.takeCounters(nowMs);
      return {
        podUid: `replica-${number}`,
        running: intervalMs > 0 ? runningMs / intervalMs : 0,
        waiting,
        kvCacheUsage: replica.kvCacheUsage(nowMs),
        promptTokens,
        generatedTokens,
        intervalMs,
      };
    });
  }

  #arrivalMs(request: number): number {
    return this.#arrivalsMs[request] as number;
  }
}
