/** Pure: what all gateways together say of one deployment. */
import type { DeploymentLoad } from '../gateway.ts';

/** What one gateway says: its own counts, and what engines said to it last. */
export interface GatewayLoad {
  readonly replicas: readonly {
    readonly podUid: string;
    readonly serving: boolean;
    readonly onlineInFlight: number;
    readonly batchInFlight: number;
    readonly waiting: number;
    readonly kvCacheUsage: number;
  }[];
  readonly onlineHeld: number;
  readonly batchHeld: number;
  readonly onlineIdleMs: number;
}

/** Returns the sum over gateways; `partial` says whether one did not answer. */
export function sumLoad(gateways: readonly GatewayLoad[], partial: boolean): DeploymentLoad {
  const replicas = gateways.flatMap((gateway) => gateway.replicas);
  const waiting = new Map<string, number>();
  // Gateways that asked an engine at different times say different things of it.
  for (const { podUid, waiting: count } of replicas) waiting.set(podUid, Math.max(count, waiting.get(podUid) ?? 0));
  return {
    replicas: new Set(replicas.filter(({ serving }) => serving).map(({ podUid }) => podUid)).size,
    onlineRequests:
      sum(replicas, ({ onlineInFlight }) => onlineInFlight) + sum(gateways, ({ onlineHeld }) => onlineHeld),
    onlineIdleMs: Math.min(...gateways.map(({ onlineIdleMs }) => onlineIdleMs)),
    batchRequests: sum(replicas, ({ batchInFlight }) => batchInFlight) + sum(gateways, ({ batchHeld }) => batchHeld),
    engineWaiting: sum([...waiting.values()], (count) => count),
    kvCacheUsage: Math.max(0, ...replicas.map(({ kvCacheUsage }) => kvCacheUsage)),
    partial,
  };
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}
