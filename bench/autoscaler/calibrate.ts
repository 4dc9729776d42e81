/** What a user would know of an engine before the first deployment: how fast it is alone, and how much it holds. */
import { nextArrival, seededRandom } from '../../test/load/random.ts';
import { batchMs, type EngineModel } from './engine-model.ts';
import { quantileOf, WANTED_ATTAINMENT } from './outcome.ts';
import { simulatePlan } from './simulation.ts';
import type { RequestSize } from './workloads/waves.ts';

/** Requests per trial: enough that an attainment of 0.95 is known to half a percent. */
const REQUESTS = 6_000;
/** Share of them before anything is counted. */
const WARM_UP = 0.1;
/** Where the search begins and ends, in requests per second; what is within is found to 1 in 2 to the halvings. */
const LEAST_RPS = 1 / 1024;
const MOST_RPS = 1024;
const HALVINGS = 7;

/** Returns the latency, in milliseconds, that 95 of 100 of the requests stay within when each is alone. */
export function unloadedP95Ms(engine: EngineModel, sizes: readonly RequestSize[]): number {
  const latencies = Float64Array.from(sizes, ({ promptTokens, outputTokens }) =>
    batchMs(engine, 1, promptTokens, outputTokens),
  );
  return quantileOf(latencies.sort(), 0.95);
}

/**
 * Returns the highest rate of independent arrivals of such requests, per second, that one replica serves so that 95 of
 * 100 end within the target; 0 where the target is missed at any rate.
 */
export function highestRps(
  engine: EngineModel,
  sizes: readonly RequestSize[],
  targetLatencyMs: number,
  seed: number,
): number {
  const random = seededRandom(seed);
  // The same requests at every rate, so that more of it is never better.
  const requests: (RequestSize & { at: number })[] = [];
  for (let at = nextArrival(1, random); requests.length < REQUESTS; at += nextArrival(1, random)) {
    requests.push({ ...(sizes[Math.floor(random() * sizes.length)] as RequestSize), at });
  }
  const holds = (rps: number) => {
    const workload = {
      name: 'constant',
      requests: requests.map((request) => ({ ...request, arrivalMs: (request.at / rps) * 1000 })),
      warmUpMs: ((WARM_UP * REQUESTS) / rps) * 1000,
      endMs: (REQUESTS / rps) * 1000,
      minReplicas: 1,
    };
    const targets = { targetRps: rps, targetLatencyMs, minReplicas: 1, maxReplicas: 1, initialReplicas: 1 };
    const cell = { workload, targets, engine, coldStartMs: 0 };
    return simulatePlan(cell, 'one replica', [[0, 1]]).outcome.attainment >= WANTED_ATTAINMENT;
  };
  let low = LEAST_RPS;
  if (!holds(low)) return 0;
  while (low < MOST_RPS && holds(2 * low)) low *= 2;
  let step = low;
  for (let halving = 0; halving < HALVINGS; halving++) {
    step /= 2;
    if (holds(low + step)) low += step;
  }
  return low;
}
