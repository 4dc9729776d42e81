/** Pure: how many replicas a deployment should have, and why. Design: docs/design/0013-scaling-rule.md. */
import { total } from '../channel/histogram.ts';
import { addArrivals, addScatter, POISSON, type ArrivalHistory, type Scatter } from './arrivals.ts';
import { soundEngines } from './buried.ts';
import { assumedCapacity, capacityOf, lateBudgetOf, UNLEARNED, type CapacityModel } from './capacity.ts';
import { choose } from './choose.ts';
import { decisionOf, type Decision } from './decision.ts';
import { demandOf, wholeReplicas } from './demand.ts';
import { countAbove } from './latencies.ts';
import { learn, wasForgotten } from './learning.ts';
import { learnedOf, restoredLoadTimeMs, restoredModel, type Learned } from './learned.ts';
import { addInterval, keptFor, NOTHING_MISSED, ofOthers, type Missed } from './missed.ts';
import {
  addLatencies,
  latencyCandidate,
  recentP95Ms,
  saturationCandidate,
  smoothedWaiting,
  type LatencySlot,
} from './net.ts';
import {
  TICK_MS,
  type Observation,
  type ReplicaCounts,
  type ScalingTargets,
  type TrafficSample,
} from './observation.ts';
import { recommend, type Recommendations } from './recommendations.ts';
import { rememberedOf, restored } from './remembered.ts';
import { addDecision, FULL_TRUST, trustAt, type Trust } from './trust.ts';

/** What a decision rests on beside what it is shown: plain values, changed by nobody but `decide`. */
export interface ScalerState {
  capacityKey: string;
  capacity: CapacityModel;
  /** With this decision, all that had been learned was. */
  hasForgotten: boolean;
  arrivals: ArrivalHistory;
  scatter: Scatter;
  latencies: readonly LatencySlot[];
  /** What the load needed, within the stabilisation window. */
  recommendations: Recommendations;
  missed: Missed;
  ready: number;
  /** Since when so many serve. */
  readySinceMs: number;
  /** When there was work last. */
  busyAtMs: number;
  /** Requests that wait in engines, smoothed. */
  waiting: number;
  /** How far what was learned is to be trusted when replicas are let go. */
  trust: Trust;
  /** How long a replica takes to start; undefined before one was seen. */
  loadTimeMs: number | undefined;
  lastMs: number;
}

/** Assumed of a start before one was seen. */
const UNKNOWN_LOAD_MS = 120_000;
/** How much one more start counts for how long the next will take. */
const LOAD_SHARE = 0.3;
/** So long without a decision, whatever was recommended before is of another time. */
const GAP_MS = 60_000;
/** So sure of the unloaded latency, a target below it is said to be out of reach. */
const CONFIDENT = 0.7;

/**
 * Returns the state to begin with, of a Deployment that is set to `current`, going on from what a former leader learned.
 * Nothing goes down for a whole stabilisation window; what is kept beyond it is `known` as well.
 */
export function initialState(targets: ScalingTargets, current: number, known: Learned, nowMs: number): ScalerState {
  // Of another model, or other engines, nothing is known.
  const learned = known.key === targets.capacityKey ? known : {};
  const { budget, missed, trust } = restored(learned, targets, nowMs);
  return {
    capacityKey: targets.capacityKey,
    capacity: { ...restoredModel(learned), ...budget },
    hasForgotten: false,
    arrivals: [],
    scatter: POISSON,
    latencies: [],
    recommendations: [{ atMs: nowMs, replicas: current }],
    missed,
    ready: 0,
    readySinceMs: nowMs,
    busyAtMs: nowMs,
    waiting: 0,
    trust,
    loadTimeMs: restoredLoadTimeMs(learned),
    lastMs: nowMs,
  };
}

/** Returns what was learned so far, to show and to go on from. */
export function learnedFrom(state: ScalerState, targets: ScalingTargets): Learned {
  const { capacity, capacityKey, loadTimeMs } = state;
  return {
    ...learnedOf(capacity, { key: capacityKey, capacity: capacityOf(capacity, targets), loadTimeMs }),
    ...rememberedOf(state),
  };
}

/** Returns the decision at `nowMs`, Unix milliseconds of a clock that does not go back, and the state for the next. */
export function decide(
  before: ScalerState,
  observation: Observation,
  targets: ScalingTargets,
  nowMs: number,
): { state: ScalerState; decision: Decision } {
  const { traffic, replicas, batchReplicas = 0 } = observation;
  if (traffic === undefined) {
    // No data is no reason to go down, nor is what was recommended before it.
    const state = {
      ...before,
      hasForgotten: false,
      recommendations: recommendations(before, replicas.current, targets, nowMs),
      // Nor does anybody know that there was no work.
      busyAtMs: nowMs,
      lastMs: nowMs,
    };
    return {
      state,
      decision: decisionOf({ wanted: replicas.current, reason: 'SignalStale', needed: 0 }, observation, targets, {}),
    };
  }
  const state = observe(before, traffic, observation, targets, nowMs);
  const learned = capacityOf(state.capacity, targets);
  const capacity = learned ?? assumedCapacity(state.capacity, targets);
  const leadMs = (state.loadTimeMs ?? UNKNOWN_LOAD_MS) + TICK_MS;
  const trust = trustAt(state.trust, nowMs);
  const lastingRequestsPerSecond = trust * capacity.lastingRequestsPerSecond;
  const demand = demandOf(state.arrivals, { ...capacity, lastingRequestsPerSecond }, traffic, {
    leadMs,
    scatter: before.scatter.index,
    ready: replicas.ready,
  });
  const { targetLatencyMs } = targets;
  const p95Ms = recentP95Ms(state.latencies, traffic, {
    readySinceMs: state.readySinceMs,
    targetMs: targetLatencyMs,
    nowMs,
  });
  const unattainable = capacity.confidence >= CONFIDENT && capacity.unloadedP95Ms > targets.targetLatencyMs;
  const rate = wholeReplicas(demand.replicas);
  const candidates = {
    rate,
    // One to spare is kept, not bought, and not waited for. Rounded up whole: what is cut off would be the margin.
    settled: Math.min(Math.ceil(demand.settled), Math.max(rate, replicas.current - replicas.blocked)),
    latency: unattainable ? 0 : latencyCandidate(p95Ms, replicas, targetLatencyMs),
    saturation: saturationCandidate(
      { waitedBefore: before.waiting, arrivals: state.arrivals },
      // What waits in a buried engine stays there, and the demand has it replaced already.
      { engines: soundEngines(traffic.engines, capacity) },
      replicas,
      targetLatencyMs,
    ),
    batch: batchReplicas,
  };
  const capped = (fraction: number): number => Math.min(targets.maxReplicas, wholeReplicas(fraction));
  const lateInFlight = unattainable ? 0 : countAbove(traffic.ages, targets.targetLatencyMs);
  const budget = lateBudgetOf(state.capacity, lateInFlight);
  state.missed = addInterval(state.missed, {
    // Those that have failed were not let go.
    ready: Math.min(replicas.current, replicas.ready + replicas.blocked),
    lately: capped(demand.lately),
    isLearned: learned !== undefined,
    proven: demand.proven,
    neededForProven: capped(demand.proven / capacity.requestsPerSecond),
    completed: total(traffic.latency),
    // What no number of replicas makes is no reason to keep them.
    late: unattainable ? 0 : countAbove(traffic.latency, targets.targetLatencyMs),
    inFlight: traffic.inFlight,
    lateInFlight,
    budget,
    isIdle: nowMs - state.busyAtMs >= targets.idleMs,
    loadTimeMs: leadMs,
    stabilizationMs: targets.stabilizationMs,
    intervalMs: traffic.intervalMs,
    nowMs,
  });
  remember(state, before, candidates, replicas, targets, nowMs);
  const kept = keptFor(state.missed, budget, capacity.requestsPerSecond);
  const choice = choose({ ...state, kept }, candidates, replicas, targets, nowMs);
  // What was asked for a moment ago is not thrown away the next: a window begins with it.
  if (choice.wanted > replicas.current) {
    const asked = Math.min(targets.maxReplicas, choice.wanted);
    state.recommendations = recommend(state.recommendations, asked, { nowMs, windowMs: targets.stabilizationMs });
  }
  const seen = { capacity, demand, p95Ms, unattainable, isTrusted: trust === 1 };
  const decision = decisionOf(choice, observation, targets, candidates, seen);
  state.trust = addDecision(
    state.trust,
    { from: replicas.current, to: decision.replicas, reason: choice.reason },
    {
      carried: demand.present / Math.max(1, replicas.ready) / capacity.lastingRequestsPerSecond,
      nowMs,
    },
  );
  return { state, decision };
}

/** What the load needs stands in the window from now on. */
function remember(
  state: ScalerState,
  before: ScalerState,
  { settled, latency, saturation, batch }: Record<'settled' | 'latency' | 'saturation' | 'batch', number>,
  { current }: ReplicaCounts,
  targets: ScalingTargets,
  nowMs: number,
): void {
  const lasting = Math.min(targets.maxReplicas, Math.max(settled, latency, saturation, batch));
  const isGap = nowMs - before.lastMs > GAP_MS || nowMs < before.lastMs;
  // What is there stays for a window, where nobody knows what asked for it.
  const isNew = isGap || state.hasForgotten;
  state.recommendations = recommendations(before, isNew ? Math.max(lasting, current) : lasting, targets, nowMs);
}

function recommendations(
  { recommendations: before }: ScalerState,
  replicas: number,
  { stabilizationMs }: ScalingTargets,
  nowMs: number,
): Recommendations {
  return recommend(before, replicas, { nowMs, windowMs: stabilizationMs });
}

function observe(
  before: ScalerState,
  traffic: TrafficSample,
  { replicas, batchReplicas = 0 }: Observation,
  targets: ScalingTargets,
  nowMs: number,
): ScalerState {
  const isSame = before.capacityKey === targets.capacityKey;
  const wentBack = nowMs < before.lastMs;
  const isMore = replicas.ready > before.ready;
  const slot = { endMs: nowMs, intervalMs: traffic.intervalMs, arrivals: traffic.arrivals };
  const isGap = wentBack || nowMs - before.lastMs > GAP_MS;
  const isBusy = isGap || traffic.inFlight > 0 || traffic.arrivals > 0 || batchReplicas > 0;
  const known = isSame ? before.capacity : UNLEARNED;
  const capacity = learn(known, traffic, replicas.ready, targets);
  // Of something else the first sample may teach at once.
  const hasForgotten = wasForgotten(before.capacity, [known, capacity]);
  return {
    ...before,
    capacityKey: targets.capacityKey,
    capacity,
    hasForgotten,
    arrivals: addArrivals(wentBack ? [] : before.arrivals, slot),
    scatter: addScatter(before.scatter, slot),
    latencies: addLatencies(isMore || wentBack ? [] : before.latencies, { endMs: nowMs, latency: traffic.latency }),
    ready: replicas.ready,
    readySinceMs: isMore ? nowMs : Math.min(before.readySinceMs, nowMs),
    busyAtMs: isBusy ? nowMs : before.busyAtMs,
    waiting: smoothedWaiting(before.waiting, traffic),
    // What other replicas made late, or by another target, tells nothing of these.
    ...(isSame && before.capacity.targetLatencyMs === targets.targetLatencyMs
      ? { missed: hasForgotten ? ofOthers(before.missed) : before.missed, trust: before.trust }
      : { missed: NOTHING_MISSED, trust: FULL_TRUST }),
    loadTimeMs: replicas.startTimesMs.reduce<number | undefined>(
      (known, ms) => (known === undefined ? ms : known + LOAD_SHARE * (ms - known)),
      isSame ? before.loadTimeMs : undefined,
    ),
    lastMs: nowMs,
  };
}
