/** What the scaler decides by: values without a clock or a client, made by `observe` and by the bench's simulation alike. */
import type { Counts } from '../channel/histogram.ts';

/** How often a deployment with load is decided on, in milliseconds. */
export const TICK_MS = 5_000;

/** From the spec, with defaults filled in. */
export interface ScalingTargets {
  minReplicas: number;
  maxReplicas: number;
  /** Requests per second and replica that the user expects; what is learned goes before it. */
  targetRps: number;
  /** End to end, that 95 of 100 requests should stay below. */
  targetLatencyMs: number;
  stabilizationMs: number;
  /** Without work for this long the last replica goes, where minReplicas is 0. */
  idleMs: number;
  /** Names what capacity was learned of (model, profile, engine settings): of another it is worth nothing. */
  capacityKey: string;
}

/** What one engine said of an interval. */
export interface EngineSample {
  podUid: string;
  /** Requests that it decoded together, on average. */
  running: number;
  /** Requests that wait for room in its batch or its KV cache now. */
  waiting: number;
  /** Share of its KV cache in use now, 0 to 1. */
  kvCacheUsage: number;
  /** Tokens of prompts that it took in, and tokens that it made, within the interval. */
  promptTokens: number;
  generatedTokens: number;
  /** What the two were counted over; at most a few ticks. */
  intervalMs: number;
  /** Share of its requests that were of batches, which want no replicas by what they do; absent where none was. */
  batchShare?: number;
}

/** The word of all gateways that may hold requests, merged. */
export interface TrafficSample {
  /** What the counts were counted over: since the last sample. */
  intervalMs: number;
  /** Requests that came, admitted or held. */
  arrivals: number;
  /** End-to-end latencies of the requests completed within the interval. */
  latency: Counts;
  /** Ages of all requests in flight or held now. */
  ages: Counts;
  /** Requests in flight or held now. */
  inFlight: number;
  /** Those among them that wait in a gateway for a replica, and the age of the oldest. */
  held: number;
  oldestHeldMs: number;
  /** Requests of batches in flight now, which are in none of the above; absent where there is none. */
  batchInFlight?: number;
  /** Replicas whose engine was heard of within the interval; may be fewer than serve, or none. */
  engines: readonly EngineSample[];
}

export interface ReplicaCounts {
  /** What the Deployment is set to now. */
  current: number;
  /** Serve and are not chosen to go. */
  ready: number;
  /** Are starting and nothing is known to keep them from it: counted as capacity to come. */
  pending: number;
  /** Cannot be placed, or fail: neither demand nor capacity. */
  blocked: number;
  /** Why, of the worst of them. */
  blockedBy: 'WaitingForGPU' | 'Failing' | undefined;
  /** Milliseconds from having a node to serving, of each replica that turned ready since the last observation. */
  startTimesMs: readonly number[];
}

export interface Observation {
  /** Undefined where a gateway that may hold requests is silent: no data, which is not none. */
  traffic: TrafficSample | undefined;
  replicas: ReplicaCounts;
  /** Replicas that its batches need to be done in time; absent where there is none. */
  batchReplicas?: number;
}

/** Returns what part of an engine's work is of clients, 0 to 1. */
export function onlineShare({ batchShare = 0 }: Pick<EngineSample, 'batchShare'>): number {
  return 1 - batchShare;
}
