/** Pure: a decision as a sentence. */
import type { Capacity } from './capacity.ts';
import type { Demand } from './demand.ts';
import type { Kept } from './missed.ts';
import type { ReplicaCounts, ScalingTargets, TrafficSample } from './observation.ts';

/** One word for what decides the number of replicas now; a part of the API. */
export type ScalingReason =
  | 'MinReplicas'
  | 'AtMax'
  | 'RequestRate'
  | 'Latency'
  | 'Saturated'
  | 'Batches'
  | 'Stabilizing'
  | 'Steady'
  | 'WaitingForGPU'
  | 'ReplicasFailing'
  | 'SignalStale'
  | 'Idle'
  | 'ScaledToZero'
  | 'Waking'
  | 'Suspended';

export interface Explained {
  from: number;
  to: number;
  /** What the load needs, before the bounds of the spec. */
  needed: number;
  reason: ScalingReason;
  /** Why more are kept than the stabilisation window asks for. */
  keptBecause?: Kept['because'];
  /** One fewer would serve what comes, with nothing to spare. */
  isClose: boolean;
  /** What batches need, where that is more than anything else does. */
  batchReplicas?: number;
  targets: ScalingTargets;
  replicas: ReplicaCounts;
  traffic: TrafficSample | undefined;
  capacity?: Capacity;
  demand?: Demand;
  p95Ms?: number | undefined;
  unattainable?: boolean;
  /** No step down has failed lately. */
  isTrusted?: boolean;
}

/** So sure of what was learned, it is said to be learned. */
const LEARNED = 0.5;

/** Returns for example "4 → 6: p95 7.1 s > 5 s with 12 requests held; 8 are needed, limited by maxReplicas 6." */
export function explain(seen: Explained): string {
  const { from, to, needed, reason, targets, traffic, unattainable } = seen;
  const change = from === to ? counted(to, 'replica') : `${from} → ${to}`;
  const held = traffic?.held ?? 0;
  const waiting =
    held === 0 ? '' : ` with ${counted(held, 'request')} held, the oldest for ${seconds(traffic?.oldestHeldMs ?? 0)}`;
  const limit =
    needed > targets.maxReplicas ? `; ${needed} are needed, limited by maxReplicas ${targets.maxReplicas}` : '';
  const hopeless =
    unattainable === true
      ? `; a request takes ${seconds(seen.capacity?.unloadedP95Ms ?? 0)} (p95) even alone, so that no number of replicas meets targetLatencyP95Ms`
      : '';
  return `${change}: ${BECAUSE[reason](seen)}${waiting}${limit}${hopeless}.`;
}

const KEPT: Readonly<Record<Kept['because'], string>> = {
  regret: 'more are kept, since they were missed after they had been let go',
  surge: 'more are kept for a rise like the last one, which would make more requests late than may be',
};

const BECAUSE: Readonly<Record<ScalingReason, (seen: Explained) => string>> = {
  RequestRate: load,
  Steady: (seen) => `${load(seen)}${reserve(seen)}`,
  Suspended: load,
  Latency: (seen) => latency(seen) ?? load(seen),
  AtMax: (seen) => latency(seen) ?? load(seen),
  Saturated: () => 'requests wait for room in the engines',
  Batches: load,
  WaitingForGPU: (seen) => `${load(seen)}; ${stopped(seen)} cannot be placed, so that no more are asked for`,
  ReplicasFailing: (seen) => `${load(seen)}; ${stopped(seen)} cannot serve, so that no more are asked for`,
  Stabilizing: (seen) =>
    `${load(seen)}; ${seen.keptBecause === undefined ? 'more were needed within the stabilisation window' : KEPT[seen.keptBecause]}`,
  MinReplicas: (seen) => `${load(seen)}; held at minReplicas ${seen.targets.minReplicas}`,
  SignalStale: () => 'no word of a gateway, so that nothing is changed',
  ScaledToZero: ({ targets }) => `no request for ${exactly(targets.idleMs)}`,
  Idle: ({ targets }) => `no requests; goes to zero ${exactly(targets.idleMs)} after the last`,
  Waking: (seen) => (seen.batchReplicas === undefined ? 'a request came' : load(seen)),
};

function stopped({ replicas }: Explained): string {
  return counted(replicas.blocked, 'replica');
}

function latency({ p95Ms, targets }: Explained): string | undefined {
  if (p95Ms === undefined || p95Ms <= targets.targetLatencyMs) return undefined;
  return `p95 ${seconds(p95Ms)} > ${exactly(targets.targetLatencyMs)}`;
}

function reserve({ isClose, isTrusted, to }: Explained): string {
  if (!isClose) return '';
  return isTrusted === false ? '; fewer were too few before' : `; ${to - 1} would have nothing to spare`;
}

function load({ isClose, batchReplicas, demand, capacity, targets }: Explained): string {
  if (batchReplicas !== undefined) return `batches need ${counted(batchReplicas, 'replica')} to be done in time`;
  const rate = rounded(demand?.requestsPerSecond ?? 0);
  if (capacity === undefined) return `${rate} requests/s`;
  const served = isClose ? capacity.lastingRequestsPerSecond : capacity.requestsPerSecond;
  return `${rate} requests/s, of which a replica serves ${rounded(served)} within ${exactly(targets.targetLatencyMs)}, ${source(capacity)}`;
}

function source({ confidence, isBounded }: Capacity): string {
  if (confidence >= LEARNED) return 'as was learned';
  return isBounded ? 'by what it gets done while requests queue in it' : 'as targetRps says';
}

function seconds(milliseconds: number): string {
  return `${rounded(milliseconds / 1000)} s`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(2)));
}

/** What the user set, as it was set. */
function exactly(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
