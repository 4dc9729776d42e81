/** The saturation rule of llm-d's Workload Variant Autoscaler (`internal/saturation/analyzer.go`): steps of one. */
import type { Controller, Policy } from '../types.ts';

export interface WvaSettings {
  /** A replica above either is saturated. */
  kvCacheThreshold: number;
  queueThreshold: number;
  /** Less than this to spare, on average over the others, adds a replica. */
  kvSpareTrigger: number;
  queueSpareTrigger: number;
}

export const WVA_DEFAULTS: WvaSettings = {
  kvCacheThreshold: 0.8,
  queueThreshold: 5,
  kvSpareTrigger: 0.1,
  queueSpareTrigger: 3,
};

const LOOP_MS = 60_000;
/** Metrics are scraped so often, and each replica's peak of the last minute counts. */
const SCRAPE_MS = 15_000;

export interface ReplicaPeak {
  kvCacheUsage: number;
  waiting: number;
}

/** Returns one more, one less or 0, from the peaks of all replicas. */
export function saturationStep(peaks: readonly ReplicaPeak[], settings: WvaSettings): -1 | 0 | 1 {
  const { kvCacheThreshold, queueThreshold, kvSpareTrigger, queueSpareTrigger } = settings;
  const free = peaks.filter(({ kvCacheUsage, waiting }) => kvCacheUsage < kvCacheThreshold && waiting < queueThreshold);
  const count = free.length;
  if (count === 0) return 1;
  const kvLoad = free.reduce((sum, { kvCacheUsage }) => sum + kvCacheUsage, 0) / count;
  const queueLoad = free.reduce((sum, { waiting }) => sum + waiting, 0) / count;
  if (kvCacheThreshold - kvLoad < kvSpareTrigger || queueThreshold - queueLoad < queueSpareTrigger) return 1;
  if (count < 2) return 0;
  const factor = count / (count - 1);
  const isSafe =
    kvCacheThreshold - kvLoad * factor >= kvSpareTrigger && queueThreshold - queueLoad * factor >= queueSpareTrigger;
  return isSafe ? -1 : 0;
}

/** Returns WVA with these settings. It keeps one replica: scaling to zero is off unless asked for. */
export function wva(name: string, settings: WvaSettings): Policy {
  return {
    name,
    create(targets): Controller {
      const minReplicas = Math.max(1, targets.minReplicas);
      let peaks = new Map<string, ReplicaPeak>();
      let nextMs = LOOP_MS;
      return {
        periodMs: SCRAPE_MS,
        desired({ observation: { traffic, replicas } }, nowMs) {
          const { current, ready } = replicas;
          const engines = traffic?.engines ?? [];
          for (const { podUid, kvCacheUsage, waiting } of engines) {
            const before = peaks.get(podUid);
            peaks.set(podUid, {
              kvCacheUsage: Math.max(kvCacheUsage, before?.kvCacheUsage ?? 0),
              waiting: Math.max(waiting, before?.waiting ?? 0),
            });
          }
          if (nowMs < nextMs) return current;
          nextMs = nowMs + LOOP_MS;
          const last = peaks;
          peaks = new Map();
          // While a change is under way nothing is decided; replicas that are gone have no say.
          if (ready !== current || engines.length !== current) return Math.max(current, minReplicas);
          const present = engines.flatMap(({ podUid }) => last.get(podUid) ?? []);
          const wanted = current + saturationStep(present, settings);
          return Math.min(targets.maxReplicas, Math.max(minReplicas, wanted));
        },
      };
    },
  };
}
