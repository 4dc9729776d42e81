/**
 * Pure: what replicas get done while requests queue in all of their engines. It is the most that they can, so that what one
 * serves within the latency target is less, whatever spec.scaling.targetRps says.
 */
import { halved } from './fading.ts';
import { onlineShare, type EngineSample, type TrafficSample } from './observation.ts';

export interface Throughput {
  /** Requests in flight after the last sample. */
  inFlight: number;
  /** For how long all engines have had a queue without a break, and since when some were not heard of. */
  queuedMs: number;
  unheardMs: number;
  /** Requests that left since then, or since the engines' requests had last all been replaced, and seconds times replicas. */
  turnLeft: number;
  turnSeconds: number;
  /** The same of all such turns, newer ones weighing more. */
  left: number;
  replicaSeconds: number;
}

export const NO_THROUGHPUT: Throughput = {
  inFlight: 0,
  queuedMs: 0,
  unheardMs: 0,
  turnLeft: 0,
  turnSeconds: 0,
  left: 0,
  replicaSeconds: 0,
};

/** Half of it is forgotten after so long, in milliseconds of traffic. */
const HALF_LIFE_MS = 30 * 60_000;
/** An engine queues where so many requests wait for each that it works on: chunked prefill makes a short wait routine. */
const QUEUE = 0.25;
/** A burst that is gone by then has no queue. */
const LEAST_QUEUED_MS = 30_000;
/** Of a tick or two no engine need say anything: gateways read them about as often as this is asked. */
const MOST_UNHEARD_MS = 15_000;
/** So many requests weigh as much as what targetRps says. */
const PRIOR_REQUESTS = 5;

/** Returns the throughput after one sample, of `ready` replicas that served meanwhile. */
export function addToThroughput(before: Throughput, traffic: TrafficSample, ready: number): Throughput {
  const { intervalMs, engines, inFlight, arrivals } = traffic;
  const fade = halved(intervalMs, HALF_LIFE_MS);
  const after = { ...NO_THROUGHPUT, inFlight, left: before.left * fade, replicaSeconds: before.replicaSeconds * fade };
  after.unheardMs = engines.length < ready ? before.unheardMs + intervalMs : 0;
  if (ready === 0 || !engines.every(isQueueing) || after.unheardMs > MOST_UNHEARD_MS) return after;
  after.queuedMs = before.queuedMs + intervalMs;
  // With what it begins is known now.
  if (before.queuedMs === 0) return after;
  // Also those that failed, or whose clients went: with few that complete, a replica would seem to do next to nothing.
  after.turnLeft = before.turnLeft + before.inFlight + arrivals - inFlight;
  after.turnSeconds = before.turnSeconds + (ready * intervalMs) / 1000;
  // How many are worked on is known where all are heard of.
  const running =
    after.unheardMs > 0 ? Number.POSITIVE_INFINITY : engines.reduce((sum, engine) => sum + engine.running, 0);
  // Those that began together end together, and between two such waves nothing leaves: whole turns alone say how many do.
  if (after.turnLeft < running || after.queuedMs <= LEAST_QUEUED_MS) return after;
  after.left += after.turnLeft;
  after.replicaSeconds += after.turnSeconds;
  return { ...after, turnLeft: 0, turnSeconds: 0 };
}

/** Whether more wait than an engine can take in, all of them of clients. One that makes no token hangs. */
function isQueueing(engine: EngineSample): boolean {
  const { running, waiting, generatedTokens } = engine;
  return generatedTokens > 0 && running > 0 && waiting > QUEUE * running && onlineShare(engine) === 1;
}

/**
 * Returns the requests a second that a replica is taken for before its latencies are known: `targetRps`, or less where
 * `share` of the most that it gets done is less.
 */
export function boundedRps({ left, replicaSeconds }: Throughput, targetRps: number, share: number): number {
  return Math.min(targetRps, (share * left + PRIOR_REQUESTS) / (replicaSeconds + PRIOR_REQUESTS / targetRps));
}
