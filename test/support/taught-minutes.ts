/** Minutes of traffic at one replica, and what is learned of them. */
import { bucketOf } from '../../src/channel/histogram.ts';
import { UNLEARNED, type CapacityModel } from '../../src/autoscaler/capacity.ts';
import { learn } from '../../src/autoscaler/learning.ts';
import type { EngineSample, TrafficSample } from '../../src/autoscaler/observation.ts';
import { TARGETS } from './scaler-world.ts';

export const MINUTE_MS = 60_000;

/** An engine in which a token takes 10 ms, and 2 ms more for each request. */
export function engineAt(running: number): EngineSample {
  return {
    podUid: 'one',
    intervalMs: MINUTE_MS,
    running,
    waiting: 0,
    kvCacheUsage: 0,
    promptTokens: 0,
    generatedTokens: (running * MINUTE_MS) / (10 + 2 * running),
  };
}

/** A minute in which nothing came, but for what is said. */
export function minuteWith(more: Partial<TrafficSample>): TrafficSample {
  const nothing = {
    arrivals: 0,
    latency: new Map(),
    ages: new Map(),
    inFlight: 0,
    held: 0,
    oldestHeldMs: 0,
    engines: [],
  };
  return { intervalMs: MINUTE_MS, ...nothing, ...more };
}

/** The model after so many minutes of 60 requests each, so many of them late. */
export function after(minutes: number, late: number): CapacityModel {
  let model = UNLEARNED;
  for (let minute = 0; minute < minutes; minute++) {
    const latency = new Map([
      [bucketOf(TARGETS.targetLatencyMs / 5), 60 - late],
      [bucketOf(TARGETS.targetLatencyMs * 5), late],
    ]);
    const engines = [engineAt(1 + (minute % 12))];
    model = learn(model, minuteWith({ arrivals: 60, latency, inFlight: 1, engines }), 1, TARGETS);
  }
  return model;
}
