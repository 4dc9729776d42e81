/** Pure: replicas whose engine has taken in far more than it can answer in time. What it took in stays with it. */
import type { Capacity } from './capacity.ts';
import { onlineShare, type EngineSample, type TrafficSample } from './observation.ts';

/** An engine with so many times the requests that it should have answers none of them in time. */
const BURIED = 3;
/** Fewer requests than so many times this bury nobody, however slow a replica is. */
const LEAST_CONCURRENCY = 4;

/** Returns how many of `ready` replicas are buried. */
export function buriedReplicas(
  { engines, inFlight, held }: Pick<TrafficSample, 'held' | 'engines' | 'inFlight'>,
  ready: number,
  capacity: Pick<Capacity, 'concurrency'>,
): number {
  // Engines that hang say nothing: then all are where their average is.
  if (engines.length === 0) return inFlight - held > mostInFlight(capacity) * ready ? ready : 0;
  return engines.length - soundEngines(engines, capacity).length;
}

/** Returns the engines that are not buried. */
export function soundEngines(
  engines: readonly EngineSample[],
  capacity: Pick<Capacity, 'concurrency'>,
): readonly EngineSample[] {
  // What batches have there waits for nobody.
  return engines.filter((engine) => (engine.running + engine.waiting) * onlineShare(engine) <= mostInFlight(capacity));
}

function mostInFlight({ concurrency }: Pick<Capacity, 'concurrency'>): number {
  return BURIED * Math.max(LEAST_CONCURRENCY, concurrency);
}
