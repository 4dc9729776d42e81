/**
 * The scaler at work, for one term as the leader: has the rule decide on the deployments that are active, and keeps the
 * decision that stands for each. Passes act on it; one is asked for whenever it changes.
 */
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { effectiveSpec } from '../api/defaults.ts';
import { decide, initialState, learnedFrom, type ScalerState } from './decide.ts';
import type { Decision } from './decision.ts';
import { hasMoved, readLearned, showLearned, type ShownLearned } from './shown-learned.ts';
import { TICK_MS, type Observation, type ScalingTargets } from './observation.ts';
import type { LiveCount } from './live-count.ts';
import { describeError } from '../kube/errors.ts';
import type { Logger } from '../kube/types.ts';
import { adopt, STALE_AFTER_MS, standingOf, SUSPENDED, targetsOf, within, type Standing } from './standing.ts';

/** Learned values are written at most this often. */
const LEARNED_INTERVAL_MS = 60_000;

/** What is seen of a deployment. */
export interface Sight {
  resource: InferenceDeployment;
  live: LiveCount;
  observation: Observation;
}

export interface ScalerOptions {
  /** Returns the UIDs of the deployments that have requests, or had some a moment ago. */
  active: () => Iterable<string>;
  /** Returns what is seen of the deployment with this UID since the last look; undefined where it has gone. */
  observe: (uid: string) => Sight | undefined;
  /** Returns whether requests wait for a replica of it or are on one, by the word of any gateway. */
  hasWork: (uid: string) => boolean;
  /** Returns for how long not every gateway was heard of. */
  staleMs: () => number;
  /** Returns the UIDs of all deployments. */
  all: () => Iterable<string>;
  /** A pass over it is due. */
  onChange: (resource: InferenceDeployment) => void;
  /** Called with each decision of the rule. */
  onDecision?: (decision: Decision) => void;
  /** A clock in Unix milliseconds that never goes back. */
  now: () => number;
  logger: Logger;
}

interface Entry {
  state: ScalerState;
  standing: Standing;
  candidates: Readonly<Record<string, number>>;
  reasonAtMs: number;
  /** What the rule said last, reason and limit, and since when. */
  said: string;
  saidAtMs: number;
  learned: ShownLearned | undefined;
  learnedAtMs: number;
}

export class Scaler {
  readonly #options: ScalerOptions;
  /** Those that were decided on in this term, by UID. */
  readonly #entries = new Map<string, Entry>();
  readonly #active = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #wasStale = false;

  constructor(options: ScalerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Decides on every deployment that is active: has requests, or is not at rest. */
  tick(): void {
    const isStale = this.#options.staleMs() >= STALE_AFTER_MS;
    // Those that are at rest are told of it too, once.
    if (isStale !== this.#wasStale) for (const uid of this.#options.all()) this.#active.add(uid);
    this.#wasStale = isStale;
    for (const uid of this.#options.active()) this.#active.add(uid);
    for (const uid of this.#active) this.#decide(uid);
  }

  /** A gateway reported on the deployment. It is decided on at once where a request came and no replica is wanted. */
  reported(uid: string): void {
    // Once a replica is wanted, the other requests that wait with the first change nothing.
    const wanted = this.#entries.get(uid)?.standing.replicas ?? 0;
    if (wanted > 0 || !this.#options.hasWork(uid)) return;
    this.#active.add(uid);
    this.#decide(uid);
  }

  /** What its batches need has changed. It is decided on with the next tick; at once where no replica is wanted. */
  batchesChanged(uid: string): void {
    this.#active.add(uid);
    if ((this.#entries.get(uid)?.standing.replicas ?? 0) === 0) this.#decide(uid);
  }

  /** It was deleted. */
  forget(uid: string): void {
    this.#active.delete(uid);
    this.#entries.delete(uid);
  }

  /**
   * Returns the decision that stands for `resource`, held to its spec as it is now. `live` is the count that its
   * Deployment has. Has it decided on while that is not its floor. What stands then is kept from the first word on: the
   * counts on the way to it are written as the scaler's own, and would pass for decisions.
   */
  standing(resource: InferenceDeployment, live: LiveCount): Standing {
    const { uid = '' } = resource.metadata;
    const spec = effectiveSpec(resource.spec);
    if (spec.suspend) {
      this.forget(uid);
      return SUSPENDED;
    }
    const targets = targetsOf(spec);
    const known = this.#entries.get(uid);
    const entry = known ?? beginning({ resource, live }, targets, this.#options.now());
    entry.standing = within(targets, entry.standing);
    const { standing } = entry;
    if (standing.replicas !== targets.minReplicas || live.replicas !== standing.replicas) {
      this.#active.add(uid);
      if (known === undefined) this.#entries.set(uid, entry);
    }
    return standing;
  }

  /** Returns what was learned of the deployment, as it is to be shown. */
  learned(resource: InferenceDeployment): ShownLearned | undefined {
    return this.#entries.get(resource.metadata.uid ?? '')?.learned ?? resource.status?.scaling?.learned;
  }

  /** Returns the candidates of the last decision on each deployment that was active, by UID. */
  candidates(): ReadonlyMap<string, Readonly<Record<string, number>>> {
    return new Map([...this.#entries].map(([uid, { candidates }]) => [uid, candidates]));
  }

  /** What goes wrong with one deployment must not keep the others from being decided on. */
  #decide(uid: string): void {
    try {
      this.#decideOn(uid);
    } catch (error) {
      this.#options.logger.error({ uid, error: describeError(error) }, 'the scaler failed on a deployment');
    }
  }

  #decideOn(uid: string): void {
    const { now, observe, onChange } = this.#options;
    const sight = observe(uid);
    const spec = sight && effectiveSpec(sight.resource.spec);
    if (sight === undefined || spec === undefined || spec.suspend) return this.forget(uid);
    const nowMs = now();
    const targets = targetsOf(spec);
    const entry = this.#entries.get(uid) ?? beginning(sight, targets, nowMs);
    this.#entries.set(uid, entry);
    const before = entry.standing;
    const decision = this.#ask(entry, uid, sight.observation, targets, nowMs);
    if (entry.state.hasForgotten) this.#logForgotten(sight.resource);
    if (entry.standing.replicas !== before.replicas) this.#log(sight.resource, before, entry.standing, decision);
    const learning = learn(entry, targets, nowMs);
    if (entry.standing !== before || learning === 'told') onChange(sight.resource);
    if (learning !== 'due' && isAtRest(entry, decision, sight.observation, targets)) this.#active.delete(uid);
  }

  /** Has the rule decide, and takes over what stands after it. */
  #ask(entry: Entry, uid: string, observation: Observation, targets: ScalingTargets, nowMs: number): Decision {
    const { hasWork, onDecision } = this.#options;
    const { standing } = entry;
    const { traffic, batchReplicas = 0 } = observation;
    const { decision, state } = decide(entry.state, asDecided(observation, standing), targets, nowMs);
    onDecision?.(decision);
    entry.state = state;
    entry.candidates = decision.candidates;
    const said = `${decision.reason} ${decision.limitedBy ?? ''}`;
    if (said !== entry.said) [entry.said, entry.saidAtMs] = [said, nowMs];
    entry.standing = adopt({
      standing,
      decision,
      targets,
      hasWork: hasWork(uid) || (traffic !== undefined && (traffic.arrivals > 0 || batchReplicas > 0)),
      fresh: traffic !== undefined,
      staleMs: this.#options.staleMs(),
      steadyMs: nowMs - entry.reasonAtMs,
      saidMs: nowMs - entry.saidAtMs,
    });
    if (entry.standing !== standing) entry.reasonAtMs = nowMs;
    return decision;
  }

  #log({ metadata: { namespace, name } }: InferenceDeployment, from: Standing, to: Standing, by: Decision): void {
    const { message, reason } = to;
    const fields = { namespace, name, from: from.replicas, to: to.replicas, reason, candidates: by.candidates };
    this.#options.logger.info(fields, message);
  }

  #logForgotten({ metadata: { namespace, name } }: InferenceDeployment): void {
    this.#options.logger.info(
      { namespace, name },
      'what was learned of a replica is forgotten: the requests, or what serves them, have become others',
    );
  }
}

function beginning(
  { resource, live }: Pick<Sight, 'resource' | 'live'>,
  targets: ScalingTargets,
  nowMs: number,
): Entry {
  const { status } = resource;
  const standing = standingOf(status, live, targets);
  const learned = status?.scaling?.learned;
  return {
    state: initialState(targets, standing.replicas, readLearned(learned), nowMs),
    standing,
    candidates: {},
    reasonAtMs: Number.NEGATIVE_INFINITY,
    said: '',
    saidAtMs: nowMs,
    learned,
    learnedAtMs: Number.NEGATIVE_INFINITY,
  };
}

/**
 * The rule goes on from what it decided, which the Deployment may have yet to follow: a replica that drains is gone, one
 * that is still to be asked for is on its way.
 */
function asDecided({ replicas, ...rest }: Observation, standing: Standing): Observation {
  const missing = Math.max(0, standing.replicas - replicas.current);
  return { ...rest, replicas: { ...replicas, current: standing.replicas, pending: replicas.pending + missing } };
}

/** Takes over what is to be shown of what was learned; `due` where that is too early yet. */
export function learn(
  entry: Pick<Entry, 'state' | 'learned' | 'learnedAtMs'>,
  targets: ScalingTargets,
  nowMs: number,
): 'told' | 'due' | undefined {
  const shown = showLearned(learnedFrom(entry.state, targets));
  if (!hasMoved(entry.learned, shown)) return undefined;
  if (nowMs - entry.learnedAtMs < LEARNED_INTERVAL_MS) return 'due';
  entry.learned = shown;
  entry.learnedAtMs = nowMs;
  return 'told';
}

/** Nothing that it could decide would change anything, until a gateway or a pass says that something has. */
function isAtRest(
  { standing }: Entry,
  decision: Decision,
  { traffic, replicas, batchReplicas = 0 }: Observation,
  { minReplicas, maxReplicas }: ScalingTargets,
): boolean {
  // Not before it is known that no gateway holds anything against it.
  if (Math.min(batchReplicas, maxReplicas) > standing.replicas) return false;
  const { blocked, current, pending, ready } = replicas;
  const settled = [current, ready].every((count) => count === standing.replicas) && pending + blocked === 0;
  if (!settled || standing.replicas !== minReplicas) return false;
  // Held as it is, until gateways are heard of again, which everything is told of.
  if (traffic === undefined) return true;
  return traffic.arrivals === 0 && traffic.inFlight === 0 && decision.reason === standing.reason;
}
