/** What the parts of the autoscaler bench agree on. Times are milliseconds of the simulation, which begins at 0. */
import type { Observation } from '../../src/autoscaler/observation.ts';

export interface SimulatedRequest {
  arrivalMs: number;
  promptTokens: number;
  outputTokens: number;
}

export interface Workload {
  name: string;
  /** In order of arrival. */
  requests: readonly SimulatedRequest[];
  /** Until then nothing is scored; policies run already. */
  warmUpMs: number;
  /** The end of what is scored. */
  endMs: number;
  /** 0 where the workload has phases without load and policies that can may go to zero. */
  minReplicas: number;
}

/** What one replica is like now; rivals that look at replicas see this. */
export interface ReplicaView {
  /** Requests given to it and not finished, those that wait in it included. */
  inFlight: number;
  /** Of them, those that wait for a seat or KV cache. */
  waiting: number;
  kvCacheUsage: number;
}

/** All that a policy may see at one of its ticks; `observation` holds counts since this policy's tick before. */
export interface PolicyView {
  observation: Observation;
  /** Those that serve and are not leaving. */
  replicas: readonly ReplicaView[];
}

/** A policy at work in one cell. */
export interface Controller {
  readonly periodMs: number;
  /** Returns how many replicas are wanted from now on; the simulation holds it to the cell's bounds. */
  desired(view: PolicyView, nowMs: number): number;
}

export interface CellTargets {
  targetRps: number;
  targetLatencyMs: number;
  minReplicas: number;
  maxReplicas: number;
  /** Serving when the simulation begins. */
  initialReplicas: number;
}

export interface Policy {
  readonly name: string;
  create(targets: CellTargets): Controller;
}

/** What came of one policy in one cell, over the scored time. */
export interface Outcome {
  policy: string;
  /** Share of the requests that ended within the latency target; those that never ended count as late. */
  attainment: number;
  /** Share of the requests that came while replicas started or none served, and were late; of simulated runs only. */
  lateWhileStarting?: number;
  latencyP95Ms: number;
  latencyP99Ms: number;
  firstTokenP95Ms: number;
  /** Minutes of whose arrivals less than 95 % ended within the target. */
  badMinutes: number;
  /** Replica hours times GPUs per replica; a replica costs from the wish for it to its end. */
  gpuHours: number;
  /** Changes of the wanted count, and those against the direction of the change before. */
  changes: number;
  reversals: number;
  /** The wanted count: [from, replicas], for replay as a plan and for plots. */
  plan: readonly (readonly [number, number])[];
}
