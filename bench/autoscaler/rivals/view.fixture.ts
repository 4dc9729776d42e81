/** What a policy sees, for the rivals' tests. */
import type { EngineSample } from '../../../src/autoscaler/observation.ts';
import type { CellTargets, PolicyView } from '../types.ts';

/** Returns a view in which `current` replicas serve, of which the first `ready` are ready. */
export function viewOf(state: {
  current: number;
  ready?: number;
  arrivals?: number;
  inFlight?: number;
  engines?: readonly Partial<EngineSample>[];
}): PolicyView {
  const { current, ready = current, arrivals = 0, inFlight = 0, engines = [] } = state;
  return {
    replicas: Array.from({ length: ready }, () => ({ inFlight: inFlight / ready, waiting: 0, kvCacheUsage: 0 })),
    observation: {
      traffic: {
        intervalMs: 2_000,
        arrivals,
        latency: new Map(),
        ages: new Map(),
        inFlight,
        held: 0,
        oldestHeldMs: 0,
        engines: engines.map((engine, at) => ({
          podUid: String(at),
          running: 0,
          waiting: 0,
          kvCacheUsage: 0,
          promptTokens: 0,
          generatedTokens: 0,
          intervalMs: 2_000,
          ...engine,
        })),
      },
      replicas: {
        current,
        ready,
        pending: current - ready,
        blocked: 0,
        blockedBy: undefined,
        startTimesMs: [],
      },
    },
  };
}

/** Returns targets of a cell with up to 20 replicas. */
export function cellTargets(more: Partial<CellTargets> = {}): CellTargets {
  return { targetRps: 10, targetLatencyMs: 10_000, minReplicas: 1, maxReplicas: 20, initialReplicas: 1, ...more };
}
