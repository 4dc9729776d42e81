/** The product's own rule where requests become others from one moment to the next. */
import { expect, test } from '@jest/globals';
import { ENGINE, requestsUntil, type Load } from '../../test/support/simulated-load.ts';
import { infer } from './contestant-infer.ts';
import { simulatePolicy, type Cell } from './simulation.ts';

const HOUR_MS = 3_600_000;
const TARGET_MS = 15_000;

/** Two hours of `before`, and an hour of `after`. */
function cellOf(before: Load, after: Load): Cell {
  const requests = requestsUntil(3 * HOUR_MS, (atMs) => (atMs < 2 * HOUR_MS ? before : after));
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
