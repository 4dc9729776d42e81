/** The product's own rule where requests become others from one moment to the next. */
import { expect, test } from '@jest/globals';
import { nextArrival, seededRandom } from '../../test/load/random.ts';
import { infer } from './contestant-infer.ts';
import type { EngineModel } from './engine-model.ts';
import { simulatePolicy, type Cell } from './simulation.ts';
import type { SimulatedRequest } from './types.ts';

const HOUR_MS = 3_600_000;
const TARGET_MS = 15_000;

/** One that reads 12,500 prompt tokens a second. */
const ENGINE: EngineModel = {
  baseMs: 12,
  perContextTokenMs: 0.0001,
  perPromptTokenMs: 0.08,
  gpus: 1,
  batchedTokens: 4_096,
  seats: 256,
  kvCacheTokens: 400_000,
};

interface Load {
  rps: number;
  promptTokens: number;
  outputTokens: number;
}

/** Two hours of `before`, and an hour of `after`. */
function cellOf(before: Load, after: Load): Cell {
  const random = seededRandom(1);
  const requests: SimulatedRequest[] = [];
  for (let arrivalMs = 0; arrivalMs < 3 * HOUR_MS;) {
    const { rps, promptTokens, outputTokens } = arrivalMs < 2 * HOUR_MS ? before : after;
    requests.push({ arrivalMs, promptTokens, outputTokens: Math.ceil(outputTokens * (0.8 + 0.4 * random())) });
    arrivalMs += nextArrival(rps / 1000, random);
  }
  return {
    workload: { name: 'changed', requests, warmUpMs: 2 * HOUR_MS, endMs: 3 * HOUR_MS, minReplicas: 1 },
    targets: { targetRps: 1, targetLatencyMs: TARGET_MS, minReplicas: 1, maxReplicas: 30, initialReplicas: 2 },
    engine: ENGINE,
    coldStartMs: 120_000,
  };
}

const SMALL = { rps: 40, promptTokens: 300, outputTokens: 200 };
const LARGE = { rps: 6, promptTokens: 6_000, outputTokens: 200 };
const LONG = { rps: 3, promptTokens: 300, outputTokens: 800 };

/** After two hours of requests like the last, none is late, and they cost 5.9, 3 and 2 replicas. */
test.each<[string, Load, Load, { attained: number; replicas: number }]>([
  ['small to large prompts', SMALL, LARGE, { attained: 0.95, replicas: 13 }],
  ['large to small prompts', LARGE, SMALL, { attained: 0.99, replicas: 20 }],
  ['short to long answers', SMALL, LONG, { attained: 0.95, replicas: 3 }],
])('%s: what is late is late until replicas have started', (_sentence, before, after, expected) => {
  const { outcome } = simulatePolicy(cellOf(before, after), infer('infer'));
  expect(outcome.attainment).toBeGreaterThan(expected.attained);
  // Of an hour, of one GPU each.
  expect(outcome.gpuHours).toBeLessThan(expected.replicas);
});
