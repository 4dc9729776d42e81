/** An engine of the bench's simulation, and requests for it that no trace has. */
import type { EngineModel } from '../../bench/autoscaler/engine-model.ts';
import type { SimulatedRequest } from '../../bench/autoscaler/types.ts';
import { nextArrival, seededRandom } from '../load/random.ts';

/** One that reads 12,500 prompt tokens a second. */
export const ENGINE: EngineModel = {
  baseMs: 12,
  perContextTokenMs: 0.0001,
  perPromptTokenMs: 0.08,
  gpus: 1,
  batchedTokens: 4_096,
  seats: 256,
  kvCacheTokens: 400_000,
};

export interface Load {
  rps: number;
  promptTokens: number;
  /** On average; each has a fifth more or less at most. */
  outputTokens: number;
}

/** Requests that come by chance until `endMs`, at the load of their moment. */
export function requestsUntil(endMs: number, loadAt: (atMs: number) => Load): SimulatedRequest[] {
  const random = seededRandom(1);
  const requests: SimulatedRequest[] = [];
  for (let arrivalMs = 0; arrivalMs < endMs;) {
    const { rps, promptTokens, outputTokens } = loadAt(arrivalMs);
    requests.push({ arrivalMs, promptTokens, outputTokens: Math.ceil(outputTokens * (0.8 + 0.4 * random())) });
    arrivalMs += nextArrival(rps / 1000, random);
  }
  return requests;
}
