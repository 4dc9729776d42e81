/**
 * What the leader knows of the load from all gateways. A gateway that has not been heard of is not one without requests:
 * whoever asks is told which of the two it is.
 */
import { addCounts, quantileMs, total, type Counts } from '../channel/histogram.ts';
import type { DeploymentReport, ReplicaReport, Report } from '../channel/messages.ts';
import type { TrafficSample } from './observation.ts';
import { RecentLoads, type Growth, type PodWork } from './recent-loads.ts';

/** Rates and percentiles are over the last minute, in steps of this. */
const SLOT_MS = 5_000;
const SLOTS = 12;
/** A rate over less than this says little. */
const LEAST_MS = 15_000;
/** More than this many of anything a gateway does not count between two reports: it would be a lie. */
const MOST_GROWTH = 1e7;
/** A report is expected every second; after this long without one its numbers are old. */
export const FRESH_MS = 5_000;

interface Slot {
  /** Time divided by SLOT_MS. */
  number: number;
  arrivals: number;
  latency: Counts;
}

interface GatewayState {
  instance: string;
  connected: boolean;
  /** The first report after a new leader or a new process of the gateway only says where its counts begin. */
  knownSinceStart: boolean;
  heardAtMs: number;
  /** By deployment UID. */
  deployments: Map<string, DeploymentReport>;
}

export interface Traffic {
  /** Requests that arrived, per second. */
  requestsPerSecond: number;
  /** Of the requests completed; undefined where there were none. */
  latencyP95Ms: number | undefined;
}

export class LoadView {
  /** When this view began. */
  readonly #since: number;
  /** When any gateway was last heard of, or this view began. */
  #heardAtMs: number;
  readonly #gateways = new Map<string, GatewayState>();
  /** The last minute of each deployment that had requests in it, by UID. */
  readonly #history = new Map<string, Slot[]>();
  readonly #recent: RecentLoads;

  /** `nowMs` is a clock in milliseconds that never goes back, here and below. */
  constructor(nowMs: number) {
    this.#since = nowMs;
    this.#heardAtMs = nowMs;
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
    this.#history.delete(uid);
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
      const growth = counts ? growthOf(report, before) : { arrivals: 0, latency: new Map() };
      this.#count(report.uid, growth, nowMs);
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
    const seenMs = Math.min(nowMs - this.#since, SLOTS * SLOT_MS);
    if (seenMs < LEAST_MS) return undefined;
    const slots = (this.#history.get(uid) ?? []).filter((slot) => slot.number > slotOf(nowMs) - SLOTS);
    const latency: Counts = new Map();
    for (const slot of slots) addCounts(latency, slot.latency);
    const arrivals = slots.reduce((sum, slot) => sum + slot.arrivals, 0);
    return {
      requestsPerSecond: arrivals / (seenMs / 1000),
      latencyP95Ms: quantileMs(latency, 0.95),
    };
  }

  /** Adds what is new to the present slot. */
  #count(uid: string, { arrivals, latency }: Growth, nowMs: number): void {
    if (arrivals === 0 && latency.size === 0) return;
    const slot = this.#slot(uid, nowMs);
    slot.arrivals += arrivals;
    addCounts(slot.latency, latency);
  }

  #slot(uid: string, nowMs: number): Slot {
    const number = slotOf(nowMs);
    let slots = this.#history.get(uid);
    if (slots === undefined) this.#history.set(uid, (slots = []));
    const last = slots.at(-1);
    if (last?.number === number) return last;
    const slot = { number, arrivals: 0, latency: new Map() };
    slots.push(slot);
    while ((slots[0]?.number ?? number) <= number - SLOTS) slots.shift();
    return slot;
  }
}

function isFresh({ connected, heardAtMs }: GatewayState, nowMs: number): boolean {
  return connected && nowMs - heardAtMs <= FRESH_MS;
}

/** All that it said is known. A connection that breaks and is made again within that time is no silence. */
function isHeard({ heardAtMs, knownSinceStart }: GatewayState, nowMs: number): boolean {
  return knownSinceStart && nowMs - heardAtMs <= FRESH_MS;
}

function slotOf(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS);
}

/** Returns what is new since `before`. Counts that went back are another process's, and all new. */
function growthOf(report: DeploymentReport, before: DeploymentReport | undefined): Growth {
  const latency: Counts = new Map();
  for (const [bucket, count] of report.latency) {
    const more = growth(count, before?.latency.get(bucket));
    if (more > 0) latency.set(bucket, more);
  }
  return { arrivals: growth(report.arrivals, before?.arrivals), latency };
}

function growth(now: number, before = 0): number {
  return Math.min(MOST_GROWTH, now >= before ? now - before : now);
}
