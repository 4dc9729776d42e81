/**
 * A deployment as the scaler sees it, in expected values: requests come at a rate, share replicas that slow with their
 * batch, and take as long as that makes them. No queue, no chance: what the rule does with such a world is its own doing.
 */
import { bucketOf, type Counts } from '../../src/channel/histogram.ts';
import { decide, initialState, type ScalerState } from '../../src/autoscaler/decide.ts';
import type { Decision } from '../../src/autoscaler/decision.ts';
import { TICK_MS, type Observation, type ScalingTargets } from '../../src/autoscaler/observation.ts';
import { learn } from '../../src/autoscaler/scaler.ts';
import { readLearned, type ShownLearned } from '../../src/autoscaler/shown-learned.ts';

export const TARGETS: ScalingTargets = {
  minReplicas: 1,
  maxReplicas: 20,
  targetRps: 5,
  targetLatencyMs: 5_000,
  stabilizationMs: 300_000,
  idleMs: 600_000,
  capacityKey: 'model',
};

/** How latencies spread around their mean (multiples, each as likely). */
const SPREAD = Array.from({ length: 40 }, (_, index) => 0.4 + (1.2 * index) / 39);
/** What one more request adds to the time of a token, relative to one that is alone. */
const SLOPE = 0.05;

export class World {
  readonly targets: ScalingTargets;
  state: ScalerState;
  nowMs = 1_000_000;
  rps = 0;
  ready: number;
  /** When the replicas that start will serve. */
  starting: number[] = [];
  loadTimeMs = 60_000;
  /** No more replicas than this can be placed. */
  gpus = Number.POSITIVE_INFINITY;
  /** Engines are not heard of. */
  withoutEngines = false;
  /** What was learned is written to the status as the scaler does it; only for those that restart, since it takes time. */
  writesStatus = false;
  /** Seats of an engine: more requests than that wait in it. */
  seats = Number.POSITIVE_INFINITY;
  /** Of a request that is alone: how long it takes on average, and the tokens that it is answered with. */
  aloneMs = 1_500;
  tokens = 150;
  readonly wanted: number[] = [];
  /** How often the status was written because of what was learned. */
  writes = 0;
  #shown: ShownLearned | undefined;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #carry = 0;
  #started: number[] = [];

  constructor(targets: Partial<ScalingTargets> = {}, replicas = 1) {
    this.targets = { ...TARGETS, ...targets };
    this.ready = replicas;
    this.state = initialState(this.targets, replicas, {}, this.nowMs);
    this.wanted.push(replicas);
  }

  get current(): number {
    return this.wanted.at(-1) ?? 0;
  }

  /** The load at which replicas are in balance: their batch, by Little's law. */
  get batch(): number {
    if (this.ready === 0) return 0;
    const share = (this.rps / this.ready) * (this.aloneMs / 1000);
    // batch = share · (1 + slope · batch), where the engines can do that at all.
    return share * SLOPE >= 0.95 ? 400 : Math.min(400, share / (1 - share * SLOPE));
  }

  observation(): Observation {
    const arrivals = this.#whole((this.rps * TICK_MS) / 1000);
    const slow = (1 + SLOPE * this.batch) / (1 + SLOPE);
    const latency: Counts = new Map();
    // As many end as a batch of that size ends; where that is less than come, the batch is at its bound.
    const ended = (this.ready * this.batch * TICK_MS) / (this.aloneMs * slow);
    const completed = Math.min(arrivals, ended);
    for (const multiple of SPREAD) {
      const bucket = bucketOf(this.aloneMs * slow * multiple);
      latency.set(bucket, (latency.get(bucket) ?? 0) + completed / SPREAD.length);
    }
    const inFlight = Math.round(this.batch * this.ready);
    const engines = Array.from({ length: this.withoutEngines ? 0 : this.ready }, (_, index) => ({
      podUid: `pod-${index}`,
      running: Math.min(this.batch, this.seats),
      waiting: Math.max(0, this.batch - this.seats),
      kvCacheUsage: 0.1,
      promptTokens: (500 * completed) / this.ready,
      generatedTokens: (this.tokens * completed) / this.ready,
      intervalMs: TICK_MS,
    }));
    const held = this.ready === 0 ? arrivals : 0;
    const blocked = Math.max(0, this.current - this.gpus);
    return {
      traffic: {
        intervalMs: TICK_MS,
        arrivals,
        latency,
        ages: new Map(),
        inFlight: inFlight + held,
        held,
        oldestHeldMs: held > 0 ? TICK_MS : 0,
        engines,
      },
      replicas: {
        current: this.current,
        ready: this.ready,
        pending: this.starting.length,
        blocked,
        blockedBy: blocked > 0 ? 'WaitingForGPU' : undefined,
        startTimesMs: this.#started.splice(0),
      },
    };
  }

  /** Decides once and lets the decision take effect. */
  tick(change: (observation: Observation) => Observation = (same) => same): Decision {
    this.nowMs += TICK_MS;
    for (const at of this.starting.filter((time) => time <= this.nowMs)) {
      this.starting.splice(this.starting.indexOf(at), 1);
      this.ready += 1;
      this.#started.push(this.loadTimeMs);
    }
    const { state, decision } = decide(this.state, change(this.observation()), this.targets, this.nowMs);
    this.state = state;
    this.#scaleTo(decision.replicas);
    this.wanted.push(decision.replicas);
    if (this.writesStatus) this.#write();
    return decision;
  }

  /** Lets `seconds` pass at a rate, and returns the last decision. */
  run(seconds: number, rps: number, change?: (observation: Observation) => Observation): Decision {
    this.rps = rps;
    let last: Decision | undefined;
    for (let passed = 0; passed < seconds * 1000; passed += TICK_MS) last = this.tick(change);
    if (last === undefined) throw new Error('no time passed');
    return last;
  }

  /** A new leader goes on from what the status shows: what the one before wrote, which is not all that it knew. */
  restart(): void {
    this.state = initialState(this.targets, this.current, readLearned(this.#shown), this.nowMs);
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
  }

  /** How often the count changed since it had `since` entries. */
  changes(since = 0): number {
    const counts = this.wanted.slice(since);
    return counts.filter((count, index) => index > 0 && count !== counts[index - 1]).length;
  }

  #write(): void {
    const entry = { state: this.state, learned: this.#shown, learnedAtMs: this.#shownAtMs };
    if (learn(entry, this.targets, this.nowMs) !== 'told') return;
    this.#shown = entry.learned;
    this.#shownAtMs = entry.learnedAtMs;
    this.writes += 1;
  }

  #scaleTo(count: number): void {
    const placed = Math.min(count, this.gpus);
    while (this.ready + this.starting.length < placed) this.starting.push(this.nowMs + this.loadTimeMs);
    while (this.ready + this.starting.length > placed && this.starting.length > 0) this.starting.pop();
    this.ready = Math.min(this.ready, placed);
  }

  /** Whole requests of a fractional number, what is left over comes the next time. */
  #whole(count: number): number {
    this.#carry += count;
    const whole = Math.floor(this.#carry);
    this.#carry -= whole;
    return whole;
  }
}
