/** Knative's pod autoscaler (`pkg/autoscaler/scaling/autoscaler.go`), on concurrency or requests per second. */
import type { Controller, Policy } from '../types.ts';
import { SlidingMean } from './sliding-mean.ts';

export interface KpaSettings {
  /** Per replica, before the utilisation. */
  target: number;
  utilisation: number;
  stableWindowMs: number;
}

/** From the ConfigMap config-autoscaler. */
export const KPA_DEFAULTS = { concurrency: 100, utilisation: 0.7, stableWindowMs: 60_000 };

const TICK_MS = 2_000;
const PANIC_SHARE = 0.1;
const PANIC_THRESHOLD = 2;
const MAX_SCALE_UP = 1_000;
const MAX_SCALE_DOWN = 2;
const SCALE_TO_ZERO_GRACE_MS = 30_000;

/** The decider: a count from the means of the two windows, which are totals over all replicas. */
export class KpaDecider {
  readonly #target: number;
  readonly #stableWindowMs: number;
  #panicSinceMs: number | undefined;
  #maxPanic: number;

  /** One that starts with more than one replica begins in panic, so that it forgets no load that it has not seen. */
  constructor({ target, utilisation, stableWindowMs }: KpaSettings, ready: number, nowMs: number) {
    this.#target = target * utilisation;
    this.#stableWindowMs = stableWindowMs;
    this.#panicSinceMs = ready > 1 ? nowMs : undefined;
    this.#maxPanic = ready;
  }

  /** Returns the wanted count; `ready` replicas serve. */
  decide(stable: number, panic: number, ready: number, nowMs: number): number {
    const pods = Math.max(1, ready);
    const clamp = (count: number): number =>
      Math.min(Math.max(count, Math.floor(pods / MAX_SCALE_DOWN)), Math.ceil(MAX_SCALE_UP * pods));
    const byPanic = Math.ceil(panic / this.#target);
    const wanted = clamp(Math.ceil(stable / this.#target));
    if (byPanic / pods >= PANIC_THRESHOLD) {
      this.#panicSinceMs = nowMs;
    } else if (this.#panicSinceMs !== undefined && this.#panicSinceMs + this.#stableWindowMs < nowMs) {
      this.#panicSinceMs = undefined;
      this.#maxPanic = 0;
    }
    if (this.#panicSinceMs === undefined) return wanted;
    this.#maxPanic = Math.max(this.#maxPanic, wanted, clamp(byPanic));
    return this.#maxPanic;
  }
}

type Signal = 'inFlight' | 'requestsPerSecond';

function kpa(name: string, signal: Signal, settings: KpaSettings): Policy {
  return {
    name,
    create(targets): Controller {
      const stable = new SlidingMean(settings.stableWindowMs / TICK_MS);
      const panic = new SlidingMean((settings.stableWindowMs * PANIC_SHARE) / TICK_MS);
      const decider = new KpaDecider(settings, targets.initialReplicas, 0);
      let arrivals = 0;
      let zeroSinceMs: number | undefined;
      return {
        periodMs: TICK_MS,
        desired({ observation: { traffic, replicas } }, nowMs) {
          const { ready, current } = replicas;
          if (traffic === undefined) return current;
          arrivals += traffic.arrivals;
          // The activator holds a request and pokes the autoscaler between its ticks.
          if (nowMs % TICK_MS !== 0) return Math.max(1, current);
          const sample = signal === 'inFlight' ? traffic.inFlight : (arrivals / TICK_MS) * 1_000;
          arrivals = 0;
          stable.add(sample);
          panic.add(sample);
          const wanted = Math.max(targets.minReplicas, decider.decide(stable.mean, panic.mean, ready, nowMs));
          if (wanted > 0) {
            zeroSinceMs = undefined;
            return wanted;
          }
          zeroSinceMs ??= nowMs;
          return nowMs - zeroSinceMs < SCALE_TO_ZERO_GRACE_MS ? Math.min(current, 1) : 0;
        },
      };
    },
  };
}

/** Returns KPA on the requests in the replicas and before them. */
export function kpaConcurrency(name: string, settings: KpaSettings): Policy {
  return kpa(name, 'inFlight', settings);
}

/** Returns KPA on the requests per second that arrive. */
export function kpaRequests(name: string, settings: KpaSettings): Policy {
  return kpa(name, 'requestsPerSecond', settings);
}
