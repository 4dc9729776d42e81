/** Kubernetes' HorizontalPodAutoscaler (autoscaling/v2) on a metric of the pods or of the whole deployment. */
import type { CellTargets, Controller, Policy } from '../types.ts';
import { DEFAULT_BEHAVIOR, HpaLimiter, PERIOD_MS } from './hpa-behavior.ts';
import { SlidingMean } from './sliding-mean.ts';

/** Of the ratio of metric to target, either way, within which nothing changes; settable since 1.33. */
export interface Tolerance {
  up: number;
  down: number;
}

export const DEFAULT_TOLERANCE: Tolerance = { up: 0.1, down: 0.1 };

/** What the published example for vLLM sets for the requests that run in a pod (kubernetes/examples, AI/vllm-deployment). */
export const EXAMPLE_IN_FLIGHT = 4;

/** Rates of counters are taken over a minute, as in the adapter's usual queries. */
const RATE_SAMPLES = 60_000 / PERIOD_MS;

function isWithin(ratio: number, { up, down }: Tolerance): boolean {
  return ratio >= 1 - down && ratio <= 1 + up;
}

/**
 * Returns the count that a metric of type Pods asks for, or the present one. `values` are of the pods that have a value;
 * `missing` pods have none yet: they count as at the target where the rest says down, and as idle where it says up
 * (`calcPlainMetricReplicas`).
 */
export function recommendByPods(
  values: readonly number[],
  missing: number,
  current: number,
  target: number,
  tolerance: Tolerance = DEFAULT_TOLERANCE,
): number {
  if (values.length === 0) return current;
  const total = values.reduce((sum, value) => sum + value, 0);
  const ratio = total / values.length / target;
  if (missing === 0) return isWithin(ratio, tolerance) ? current : Math.ceil(ratio * values.length);
  const pods = values.length + missing;
  const recomputed = (ratio < 1 ? total + missing * target : total) / pods / target;
  const reverses = (ratio < 1 && recomputed > 1) || (ratio > 1 && recomputed < 1);
  if (reverses || isWithin(recomputed, tolerance)) return current;
  const wanted = Math.ceil(recomputed * pods);
  const contradicts = (recomputed < 1 && wanted > current) || (recomputed > 1 && wanted < current);
  return contradicts ? current : wanted;
}

/** Returns the count that a metric of type External with an AverageValue asks for (`GetExternalPerPodMetricReplicas`). */
export function recommendByTotal(
  total: number,
  current: number,
  target: number,
  tolerance: Tolerance = DEFAULT_TOLERANCE,
): number {
  return isWithin(total / (target * current), tolerance) ? current : Math.ceil(total / target);
}

export interface HpaSettings {
  /** Per replica. */
  target: number;
  downWindowMs: number;
}

export const DEFAULT_DOWN_WINDOW_MS = DEFAULT_BEHAVIOR.downWindowMs;

function limiterOf({ downWindowMs }: HpaSettings, { minReplicas, maxReplicas }: CellTargets): HpaLimiter {
  // It cannot go to zero: that takes an alpha feature.
  return new HpaLimiter({ ...DEFAULT_BEHAVIOR, downWindowMs }, Math.max(1, minReplicas), maxReplicas);
}

/** Returns HPA on the requests in each pod, those that wait in its engine included. */
export function hpaInFlight(name: string, settings: HpaSettings): Policy {
  return {
    name,
    create(targets): Controller {
      const limiter = limiterOf(settings, targets);
      return {
        periodMs: PERIOD_MS,
        desired({ observation, replicas }, nowMs) {
          const { current } = observation.replicas;
          const values = replicas.map(({ inFlight }) => inFlight);
          // An engine that loads its model runs and has no metrics yet, which is not a pod that is Pending.
          const missing = Math.max(0, current - values.length);
          return limiter.limit(recommendByPods(values, missing, current, settings.target), current, nowMs);
        },
      };
    },
  };
}

/** Returns HPA on the requests per second that arrive. */
export function hpaRequests(name: string, settings: HpaSettings): Policy {
  return {
    name,
    create(targets): Controller {
      const limiter = limiterOf(settings, targets);
      const rate = new SlidingMean(RATE_SAMPLES);
      return {
        periodMs: PERIOD_MS,
        desired({ observation: { traffic, replicas } }, nowMs) {
          const { current } = replicas;
          if (traffic === undefined) return current;
          rate.add((traffic.arrivals / PERIOD_MS) * 1_000);
          return limiter.limit(recommendByTotal(rate.mean, current, settings.target), current, nowMs);
        },
      };
    },
  };
}
