/**
 * What the leader knows of the load from all gateways. A gateway that has not been heard of is not one without requests:
 * whoever asks is told which of the two it is.
 */
import { addCounts, total, type Counts } from '../channel/histogram.ts';
import type { DeploymentReport, ReplicaReport, Report } from '../channel/messages.ts';
import type { EngineGauges } from './engine-track.ts';
import type { TrafficSample } from './observation.ts';
import { RecentLoads, type Growth, type PodWork } from './recent-loads.ts';
import { TrafficHistory, type RecentTraffic, type Traffic } from './traffic-history.ts';

/** More than this many of anything a gateway does not count between two reports: it would be a lie. */
const MOST_GROWTH = 1e7;
/** A report is expected every second; after this long without one its numbers are old. */
export const FRESH_MS = 5_000;

interface GatewayState {
  instance: string;
  connected: boolean;
  /** The first report after a new leader or a new process of the gateway only says where its counts begin. */
  knownSinceStart: boolean;
  heardAtMs: number;
  /** By deployment UID. */
  deployments: Map<string, DeploymentReport>;
}

/** A replica as all gateways together know it. */
export interface ReplicaLoad {
  /** Requests of clients and of batches. */
  inFlight: number;
  /** What its engine said last; undefined where it said nothing lately. */
  gauges: EngineGauges | undefined;
}

export class LoadView {
  /** When any gateway was last heard of, or this view began. */
  #heardAtMs: number;
  readonly #gateways = new Map<string, GatewayState>();
  readonly #traffic: TrafficHistory;
  readonly #recent: RecentLoads;

  /** `nowMs` is a clock in milliseconds that never goes back, here and below. */
  constructor(nowMs: number) {
    this.#heardAtMs = nowMs;
    this.#traffic = new TrafficHistory(nowMs);
    this.#recent = new RecentLoads(nowMs);
  }

  /** A gateway is connected; its counts go on where they were if it is still the same instance. */
  connected(gateway: string, instance: string, nowMs: number): void {
    const known = this.#gateways.get(gateway);
    if (known?.instance === instance) {
      known.connected = true;
      known.heardAtMs = nowMs;
      return;
    }
    this.#gateways.set(gateway, {
      instance,
      connected: true,
      knownSinceStart: false,
      heardAtMs: nowMs,
      deployments: new Map(),
    });
  }

  /** The connection ended; what the gateway said stays until it is forgotten. */
  disconnected(gateway: string): void {
    const state = this.#gateways.get(gateway);
    if (state !== undefined) state.connected = false;
  }

  /** Its pod has gone. */
  forget(gateway: string): void {
    this.#gateways.delete(gateway);
  }

  /** A deployment has gone. */
  forgetDeployment(uid: string): void {
    this.#traffic.forget(uid);
    this.#recent.forget(uid);
    for (const { deployments } of this.#gateways.values()) deployments.delete(uid);
  }

  /** Takes a report in. Deployments that `isKnown` does not know are left out: a gateway could invent any number. */
  report(gateway: string, { deployments, more }: Report, isKnown: (uid: string) => boolean, nowMs: number): void {
    const state = this.#gateways.get(gateway);
    if (state === undefined) return;
    state.heardAtMs = nowMs;
    this.#heardAtMs = nowMs;
    for (const report of deployments) {
      if (!isKnown(report.uid)) continue;
      const before = state.deployments.get(report.uid);
      const counts = before !== undefined || state.knownSinceStart;
      const growth = counts ? growthOf(report, before) : { arrivals: 0, latency: new Map(), firstByte: new Map() };
      this.#traffic.count(report.uid, growth, nowMs);
      state.deployments.set(report.uid, report);
      this.#recent.note(report, growth, () => this.#work(report.uid), nowMs);
    }
    if (more || state.knownSinceStart) return;
    state.knownSinceStart = true;
    this.#recent.restart(nowMs);
  }

  /** Returns the UIDs of the deployments that have requests, or had some within the last ticks. */
  active(nowMs: number): string[] {
    return this.#recent.active(nowMs);
  }

  /**
   * Returns the traffic since the last call for the deployment, for the one who scales it; undefined where one of
   * `gateways`, those that may hold requests, has not been heard of for FRESH_MS, or not since this view began: what was
   * counted then waits for the next call.
   */
  takeSample(uid: string, gateways: readonly string[], nowMs: number): TrafficSample | undefined {
    const heard = [...this.#gateways.values()].filter((state) => isHeard(state, nowMs));
    if (heard.length === 0 || !this.hearsAll(gateways, nowMs)) return undefined;
    const ages: Counts = new Map();
    let held = 0;
    let oldestHeldMs = 0;
    let batchInFlight = 0;
    for (const { deployments } of heard) {
      const report = deployments.get(uid);
      if (report === undefined) continue;
      addCounts(ages, report.ages);
      held += report.held;
      for (const replica of report.replicas) batchInFlight += replica.batchInFlight ?? 0;
      oldestHeldMs = Math.max(oldestHeldMs, report.oldestHeldMs);
    }
    const batch = batchInFlight > 0 && { batchInFlight };
    return { ...this.#recent.take(uid, nowMs), ages, inFlight: total(ages), held, oldestHeldMs, ...batch };
  }

  /** Returns whether the gateway was heard of within FRESH_MS. */
  isFresh(gateway: string, nowMs: number): boolean {
    const state = this.#gateways.get(gateway);
    return state !== undefined && isFresh(state, nowMs);
  }

  /** Returns whether each of `gateways` has been heard of within FRESH_MS, and since this view began. */
  hearsAll(gateways: readonly string[], nowMs: number): boolean {
    return gateways.every((gateway) => {
      const state = this.#gateways.get(gateway);
      return state !== undefined && isHeard(state, nowMs);
    });
  }

  /** Returns how many gateways were heard of within FRESH_MS. */
  freshGateways(nowMs: number): number {
    return [...this.#gateways.values()].filter((state) => isFresh(state, nowMs)).length;
  }

  /** Returns the requests in flight on each pod of a deployment, of clients and of batches, over all connected gateways. */
  inFlight(uid: string): Map<string, number> {
    return new Map(
      this.#work(uid)
        .entries()
        .map(([podUid, { inFlight }]) => [podUid, inFlight]),
    );
  }

  #work(uid: string): Map<string, PodWork> {
    const sums = new Map<string, PodWork>();
    for (const { connected, deployments } of this.#gateways.values()) {
      if (!connected) continue;
      for (const { podUid, inFlight, batchInFlight = 0 } of deployments.get(uid)?.replicas ?? []) {
        const sum = sums.get(podUid) ?? { inFlight: 0, batchInFlight: 0 };
        sum.inFlight += inFlight;
        sum.batchInFlight += batchInFlight;
        sums.set(podUid, sum);
      }
    }
    return sums;
  }

  /** Returns how many requests wait for a replica of the deployment, over all gateways that are connected. */
  held(uid: string): number {
    return [...this.#gateways.values()].reduce(
      (sum, { connected, deployments }) => sum + (connected ? (deployments.get(uid)?.held ?? 0) : 0),
      0,
    );
  }

  /**
   * Returns whether each of `gateways` has said, freshly, that it sends the pod nothing any more and has no request on
   * it. The silence of one is no consent. One that is not among them but is heard of, as where only its kubelet is dead,
   * may still have requests on it.
   */
  isDrained(uid: string, podUid: string, gateways: readonly string[], nowMs: number): boolean {
    const replicaAt = (state: GatewayState): ReplicaReport | undefined =>
      state.deployments.get(uid)?.replicas.find((replica) => replica.podUid === podUid);
    const heard = [...this.#gateways.values()].filter((state) => isFresh(state, nowMs));
    if (heard.some((state) => (replicaAt(state)?.inFlight ?? 0) > 0)) return false;
    return gateways.every((gateway) => {
      const state = this.#gateways.get(gateway);
      return state !== undefined && isFresh(state, nowMs) && replicaAt(state)?.draining === true;
    });
  }

  /** Returns for how many milliseconds no gateway has been heard of. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardAtMs;
  }

  /**
   * Returns the traffic of the last minute, or of what this view has seen of it; undefined where that is too little, or
   * no gateway was heard of, which is not the same as none.
   */
  traffic(uid: string, nowMs: number): Traffic | undefined {
    if (this.silentMs(nowMs) > FRESH_MS || this.#gateways.size === 0) return undefined;
    return this.#traffic.lastMinute(uid, nowMs);
  }

  /** Returns the traffic of the last seconds, over all gateways that were heard of. */
  recentTraffic(uid: string, nowMs: number): RecentTraffic {
    return this.#traffic.recent(uid, nowMs);
  }

  /** Returns the replicas that have requests or whose engine was heard of lately, by pod UID. */
  replicas(uid: string, nowMs: number): Map<string, ReplicaLoad> {
    const gauges = this.#recent.gauges(uid, nowMs);
    const work = this.inFlight(uid);
    const podUids = new Set([...work.keys(), ...gauges.keys()]);
    return new Map(
      [...podUids].map((podUid) => [podUid, { inFlight: work.get(podUid) ?? 0, gauges: gauges.get(podUid) }]),
    );
  }
}

function isFresh({ connected, heardAtMs }: GatewayState, nowMs: number): boolean {
  return connected && nowMs - heardAtMs <= FRESH_MS;
}

/** All that it said is known. A connection that breaks and is made again within that time is no silence. */
function isHeard({ heardAtMs, knownSinceStart }: GatewayState, nowMs: number): boolean {
  return knownSinceStart && nowMs - heardAtMs <= FRESH_MS;
}

/** Returns what is new since `before`. Counts that went back are another process's, and all new. */
function growthOf(report: DeploymentReport, before: DeploymentReport | undefined): Growth {
  return {
    arrivals: growth(report.arrivals, before?.arrivals),
    latency: countsGrowth(report.latency, before?.latency),
    firstByte: countsGrowth(report.firstByte, before?.firstByte),
  };
}

function countsGrowth(now: Counts, before: Counts | undefined): Counts {
  const grown: Counts = new Map();
  for (const [bucket, count] of now) {
    const more = growth(count, before?.get(bucket));
    if (more > 0) grown.set(bucket, more);
  }
  return grown;
}

function growth(now: number, before = 0): number {
  return Math.min(MOST_GROWTH, now >= before ? now - before : now);
}
