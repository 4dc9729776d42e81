/** KubeAI's autoscaler (`internal/modelautoscaler`): a long moving average of the active requests. */
import type { Controller, Policy } from '../types.ts';
import { SlidingMean } from './sliding-mean.ts';

export interface KubeAiSettings {
  targetRequests: number;
  windowMs: number;
}

export const KUBEAI_DEFAULTS: KubeAiSettings = { targetRequests: 100, windowMs: 600_000 };

const INTERVAL_MS = 10_000;
const SCALE_DOWN_DELAY_MS = 30_000;

/** Returns KubeAI with these settings. */
export function kubeAi(name: string, { targetRequests, windowMs }: KubeAiSettings): Policy {
  return {
    name,
    create(targets): Controller {
      const samples = windowMs / INTERVAL_MS;
      const active = new SlidingMean(
        samples,
        Array.from({ length: samples }, () => 0),
      );
      const requiredLower = Math.ceil(SCALE_DOWN_DELAY_MS / INTERVAL_MS);
      let lower = 0;
      return {
        periodMs: INTERVAL_MS,
        desired({ observation: { traffic, replicas } }, nowMs) {
          const { current, ready } = replicas;
          if (traffic === undefined) return current;
          // A request to a model without replicas scales it at once, apart from the loop.
          if (current === 0 && traffic.inFlight > 0) return 1;
          if (nowMs % INTERVAL_MS !== 0) return current;
          // Without an endpoint the loop passes the model over, and its average stands still.
          if (ready === 0) return current;
          active.add(traffic.inFlight);
          const wanted = Math.min(
            targets.maxReplicas,
            Math.max(targets.minReplicas, Math.ceil(active.mean / targetRequests)),
          );
          if (wanted >= current) {
            lower = 0;
            return wanted;
          }
          if (lower < requiredLower) {
            lower++;
            return current;
          }
          return wanted;
        },
      };
    },
  };
}
