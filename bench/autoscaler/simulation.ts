/** One policy, or one plan, over one workload: requests, a gateway that routes to the least loaded, and replicas. */
import type { EngineModel } from './engine-model.ts';
import { Fleet } from './fleet.ts';
import { Observer } from './observer.ts';
import { scoreRun } from './outcome.ts';
import type { Journal } from './replica.ts';
import type { CellTargets, Outcome, Policy, Workload } from './types.ts';

export interface Cell {
  workload: Workload;
  targets: CellTargets;
  engine: EngineModel;
  /** From the wish for a replica to its serving. */
  coldStartMs: number;
}

/** What a run leaves behind; the journal's requests are numbered as the workload's. */
export interface Run {
  outcome: Outcome;
  arrivalsMs: Float64Array;
  journal: Journal;
}

export type Plan = Outcome['plan'];

/** How long after the end of what is scored a request may still end: what takes longer is late by any target. */
const GRACE_MS = 600_000;

/** Decides how many replicas are wanted. */
interface Steering {
  /** When it wants to be asked next. */
  nextMs: number;
  /** Requests are held and no replica is ready or will be. */
  readonly wakes: boolean;
  desired(nowMs: number): number;
}

/** Returns what comes of a policy that is asked each period, and at once where requests are held and nothing starts. */
export function simulatePolicy(cell: Cell, policy: Policy): Run {
  const { minReplicas, maxReplicas } = cell.targets;
  const simulation = new Simulation(cell, policy.name);
  const observer = new Observer(simulation.fleet, simulation.arrivalsMs);
  const controller = policy.create(cell.targets);
  let askedMs = 0;
  return simulation.run(
    {
      nextMs: controller.periodMs,
      wakes: true,
      desired(nowMs) {
        if (nowMs >= this.nextMs) this.nextMs += controller.periodMs;
        // Woken at this very moment already: an observation of no time says nothing.
        if (nowMs === askedMs) return simulation.fleet.wanted;
        askedMs = nowMs;
        const desired = controller.desired(observer.take(nowMs), nowMs);
        if (!Number.isInteger(desired)) throw new Error(`${policy.name} wants ${desired} replicas at ${nowMs} ms.`);
        return Math.min(maxReplicas, Math.max(minReplicas, desired));
      },
    },
    observer,
  );
}

/**
 * Returns what comes of wanting the replicas of a plan, `[from, replicas]` in order, whatever happens. What it wants from
 * 0 serves when the simulation begins, instead of the cell's initial replicas.
 */
export function simulatePlan(cell: Cell, name: string, plan: Plan): Run {
  const [[fromMs, initialReplicas] = [0, 0]] = plan;
  if (fromMs !== 0) throw new Error(`The plan ${name} begins at ${fromMs} ms; it must begin at 0.`);
  const simulation = new Simulation({ ...cell, targets: { ...cell.targets, initialReplicas } }, name);
  let next = 1;
  return simulation.run({
    nextMs: plan[1]?.[0] ?? Infinity,
    wakes: false,
    desired(nowMs) {
      let wanted = simulation.fleet.wanted;
      for (; (plan[next]?.[0] ?? Infinity) <= nowMs; next++) wanted = plan[next]?.[1] ?? wanted;
      this.nextMs = plan[next]?.[0] ?? Infinity;
      return wanted;
    },
  });
}

/** A workload's requests as arrays, made once for all runs over it. */
interface Requests {
  arrivalsMs: Float64Array;
  promptTokens: Int32Array;
  outputTokens: Int32Array;
}

const requestsOf = new WeakMap<Workload, Requests>();

function requestsAsArrays(workload: Workload): Requests {
  let arrays = requestsOf.get(workload);
  if (arrays === undefined) {
    const { requests } = workload;
    arrays = {
      arrivalsMs: Float64Array.from(requests, ({ arrivalMs }) => arrivalMs),
      promptTokens: Int32Array.from(requests, ({ promptTokens }) => promptTokens),
      outputTokens: Int32Array.from(requests, ({ outputTokens }) => outputTokens),
    };
    requestsOf.set(workload, arrays);
  }
  return arrays;
}

class Simulation {
  readonly arrivalsMs: Float64Array;
  readonly fleet: Fleet;
  readonly #cell: Cell;
  readonly #name: string;
  readonly #journal: Journal;
  readonly #plan: [number, number][];
  /** 1 for each request that came while replicas started or none served. */
  readonly #cameWhileStarting: Uint8Array;
  #observer: Observer | undefined;
  /** Scored requests that have not ended. */
  #open = 0;

  constructor(cell: Cell, name: string) {
    const { workload, targets } = cell;
    const { arrivalsMs, promptTokens, outputTokens } = requestsAsArrays(workload);
    this.#cell = cell;
    this.#name = name;
    this.arrivalsMs = arrivalsMs;
    this.#journal = {
      promptTokens,
      outputTokens,
      firstTokenAtMs: new Float64Array(arrivalsMs.length).fill(NaN),
      endedAtMs: new Float64Array(arrivalsMs.length).fill(NaN),
    };
    for (const arrivalMs of arrivalsMs) if (this.#isScored(arrivalMs)) this.#open++;
    const cost = { fromMs: workload.warmUpMs, toMs: workload.endMs };
    this.fleet = new Fleet(cell, this.#journal, cost, (request, nowMs) => this.#ended(request, nowMs));
    this.fleet.begin(targets.initialReplicas);
    this.#plan = [[0, targets.initialReplicas]];
    this.#cameWhileStarting = new Uint8Array(arrivalsMs.length);
  }

  run(steering: Steering, observer?: Observer): Run {
    this.#observer = observer;
    const { workload, targets, engine } = this.#cell;
    const { fleet, arrivalsMs } = this;
    const lastMs = workload.endMs + targets.targetLatencyMs + GRACE_MS;
    let nextRequest = 0;
    let nowMs = 0;
    for (;;) {
      const fleetMs = fleet.nextMs;
      const arrivalMs = arrivalsMs[nextRequest] ?? Infinity;
      nowMs = Math.min(fleetMs, arrivalMs, steering.nextMs);
      if (nowMs > lastMs || (nowMs > workload.endMs && this.#open === 0)) break;
      if (nowMs === fleetMs) fleet.run(nowMs);
      else if (nowMs === arrivalMs) this.#arrive(nextRequest++, steering, nowMs);
      else this.#want(steering.desired(nowMs), nowMs);
    }
    fleet.settle();
    const outcome = scoreRun({
      policy: this.#name,
      workload,
      targetLatencyMs: targets.targetLatencyMs,
      gpuHours: (fleet.costMs * engine.gpus) / 3_600_000,
      plan: this.#plan,
      journal: this.#journal,
      arrivalsMs,
      cameWhileStarting: this.#cameWhileStarting,
      lastMs,
    });
    return { outcome, arrivalsMs, journal: this.#journal };
  }

  #arrive(request: number, steering: Steering, nowMs: number): void {
    const { fleet } = this;
    this.#observer?.arrived();
    if (fleet.starting.length > 0 || fleet.ready.length === 0) this.#cameWhileStarting[request] = 1;
    fleet.route(request, nowMs);
    // The first that is held; a policy that does nothing about it is asked again when its period ends.
    if (steering.wakes && fleet.held.length === 1 && fleet.starting.length === 0) {
      this.#want(steering.desired(nowMs), nowMs);
    }
  }

  #want(replicas: number, nowMs: number): void {
    if (replicas === this.fleet.wanted) return;
    this.fleet.want(replicas, nowMs);
    this.#plan.push([nowMs, replicas]);
  }

  #ended(request: number, nowMs: number): void {
    if (this.#isScored(this.arrivalsMs[request] as number)) this.#open--;
    this.#observer?.ended(request, nowMs);
  }

  #isScored(arrivalMs: number): boolean {
    return arrivalMs >= this.#cell.workload.warmUpMs && arrivalMs < this.#cell.workload.endMs;
  }
}
