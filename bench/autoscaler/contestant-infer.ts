/** The contestant that is the product: its own `decide`, with the defaults of the custom resource. */
import { decide, initialState } from '../../src/autoscaler/decide.ts';
import { TICK_MS, type ScalingTargets } from '../../src/autoscaler/observation.ts';
import type { Controller, Policy } from './types.ts';

const STABILIZATION_MS = 300_000;
const IDLE_MS = 600_000;

/** Returns the policy under test, which is told `factor` times the right targetRps. */
export function infer(name: string, factor = 1): Policy {
  return {
    name,
    create({ initialReplicas, targetRps, ...bounds }): Controller {
      const targets: ScalingTargets = {
        ...bounds,
        targetRps: factor * targetRps,
        stabilizationMs: STABILIZATION_MS,
        idleMs: IDLE_MS,
        capacityKey: 'bench',
      };
      let state = initialState(targets, initialReplicas, {}, 0);
      return {
        periodMs: TICK_MS,
        desired({ observation }, nowMs) {
          const next = decide(state, observation, targets, nowMs);
          state = next.state;
          return next.decision.replicas;
        },
      };
    },
  };
}
