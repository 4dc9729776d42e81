/**
 * Pure: what happened to each deployment since the scaler last looked at it. Only those that have requests, or had some
 * within the last ticks, are in it: the others cost nothing.
 */
import { addCounts, type Counts } from '../channel/histogram.ts';
import type { DeploymentReport, ReplicaReport } from '../channel/messages.ts';
import { EngineTrack, type EngineGauges } from './engine-track.ts';
import { TICK_MS, type TrafficSample } from './observation.ts';

/** Without requests for so long a deployment is at rest. */
export const ACTIVE_MS = 3 * TICK_MS;
/** As many as a report can name: a gateway could invent any number. */
const MAX_ENGINES = 1_000;

/** Requests in flight on a pod, over all gateways, and those of batches among them. */
export interface PodWork {
  inFlight: number;
  batchInFlight: number;
}

/** What is new in a report. */
export interface Growth {
  arrivals: number;
  latency: Counts;
  /** From arrival to the first bytes. */
  firstByte: Counts;
}

/** Of an interval that ends now. */
export type IntervalSample = Pick<TrafficSample, 'intervalMs' | 'arrivals' | 'latency' | 'engines'>;

interface RecentLoad {
  activeAtMs: number;
  /** The counts are from here on. */
  sinceMs: number;
  arrivals: number;
  latency: Counts;
  /** By pod UID. */
  engines: Map<string, EngineTrack>;
}

export class RecentLoads {
  /** By UID, the one without requests for longest first. */
  readonly #loads = new Map<string, RecentLoad>();
  /** Counts of before are not complete. */
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** A gateway is heard of from now on: what the others counted before is not the whole. */
  restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    for (const load of this.#loads.values()) clear(load, nowMs);
  }

  /** Takes in what is new; `work` returns what is on each pod. */
  note(report: DeploymentReport, growth: Growth, work: () => ReadonlyMap<string, PodWork>, nowMs: number): void {
    const { uid, ages, replicas } = report;
    const isActive = growth.arrivals > 0 || growth.latency.size > 0 || ages.size > 0;
    const load = this.#loads.get(uid) ?? (isActive ? this.#begin(nowMs) : undefined);
    if (load === undefined) return;
    if (isActive) {
      load.activeAtMs = nowMs;
      this.#loads.delete(uid);
      this.#loads.set(uid, load);
    }
    load.arrivals += growth.arrivals;
    addCounts(load.latency, growth.latency);
    noteEngines(load.engines, replicas, work, nowMs);
  }

  /** Returns the UIDs of the deployments that are not at rest. */
  active(nowMs: number): string[] {
    for (const [uid, { activeAtMs }] of this.#loads) {
      if (nowMs - activeAtMs <= ACTIVE_MS) break;
      this.#loads.delete(uid);
    }
    return [...this.#loads.keys()];
  }

  /** Returns what was counted since the last call for the deployment, and begins anew. */
  take(uid: string, nowMs: number): IntervalSample {
    const load = this.#loads.get(uid);
    // It is at rest for longer than that.
    if (load === undefined) return { intervalMs: this.#restedMs(nowMs), arrivals: 0, latency: new Map(), engines: [] };
    const { arrivals, latency } = load;
    const intervalMs = Math.max(1, nowMs - load.sinceMs);
    const engines = [...load.engines].flatMap(([podUid, track]) => track.takeSample(podUid) ?? []);
    for (const [podUid, { heardAtMs }] of load.engines) {
      if (nowMs - heardAtMs > ACTIVE_MS) load.engines.delete(podUid);
    }
    clear(load, nowMs);
    return { intervalMs, arrivals, latency, engines };
  }

  /** Returns what each engine said last, by pod UID; those that said nothing within ACTIVE_MS are not among them. */
  gauges(uid: string, nowMs: number): Map<string, EngineGauges> {
    const heard = new Map<string, EngineGauges>();
    for (const [podUid, track] of this.#loads.get(uid)?.engines ?? []) {
      if (nowMs - track.heardAtMs <= ACTIVE_MS) heard.set(podUid, track.gauges);
    }
    return heard;
  }

  forget(uid: string): void {
    this.#loads.delete(uid);
  }

  #begin(nowMs: number): RecentLoad {
    // Until now there was nothing, which is data, too: one request a moment ago is not a thousand a second.
    const sinceMs = nowMs - this.#restedMs(nowMs);
    return { activeAtMs: nowMs, sinceMs, arrivals: 0, latency: new Map(), engines: new Map() };
  }

  #restedMs(nowMs: number): number {
    return Math.max(1, Math.min(TICK_MS, nowMs - this.#sinceMs));
  }
}

function noteEngines(
  engines: Map<string, EngineTrack>,
  replicas: readonly ReplicaReport[],
  work: () => ReadonlyMap<string, PodWork>,
  nowMs: number,
): void {
  for (const { podUid, engine } of replicas) {
    if (engine === undefined || engines.has(podUid) || engines.size >= MAX_ENGINES) continue;
    engines.set(podUid, new EngineTrack(nowMs));
  }
  if (engines.size === 0) return;
  const onPods = work();
  for (const [podUid, track] of engines) {
    const { inFlight = 0, batchInFlight } = onPods.get(podUid) ?? {};
    track.inFlight(inFlight, nowMs, batchInFlight);
  }
  for (const { podUid, engine } of replicas) if (engine) engines.get(podUid)?.heard(engine, nowMs);
}

function clear(load: RecentLoad, nowMs: number): void {
  load.sinceMs = nowMs;
  load.arrivals = 0;
  load.latency = new Map();
}
