/** The product's own rule at a start into full load, where spec.scaling.targetRps says far more than a replica can. */
import { expect, test } from '@jest/globals';
import { ENGINE, requestsUntil, type Load } from '../../test/support/simulated-load.ts';
import { infer } from './contestant-infer.ts';
import { simulatePolicy, type Cell } from './simulation.ts';

const MINUTE_MS = 60_000;
const END_MS = 45 * MINUTE_MS;

function cellOf(load: Load, targetLatencyMs: number, targetRps: number): Cell {
  const requests = requestsUntil(END_MS, () => load);
  return {
    workload: { name: 'start', requests, warmUpMs: 0, endMs: END_MS, minReplicas: 1 },
    targets: { targetRps, targetLatencyMs, minReplicas: 1, maxReplicas: 30, initialReplicas: 2 },
    engine: ENGINE,
    coldStartMs: 2 * MINUTE_MS,
  };
}

const LONG_PROMPTS = { rps: 5, promptTokens: 8_000, outputTokens: 200 };
const LONG_ANSWERS = { rps: 8, promptTokens: 1_000, outputTokens: 1_500 };

/** With a targetRps that is right they need 8 replicas. Two are there, and others take two minutes. */
test.each<[string, number, Load, number]>([
  ['long prompts', 5, LONG_PROMPTS, 15_000],
  ['long prompts', 10, LONG_PROMPTS, 15_000],
  ['long answers', 5, LONG_ANSWERS, 40_000],
  ['long answers', 10, LONG_ANSWERS, 40_000],
])('%s, a targetRps of %d: what is late is late until replicas have started', (_what, targetRps, load, targetMs) => {
  const { outcome } = simulatePolicy(cellOf(load, targetMs, targetRps), infer('infer'));
  expect(outcome.attainment).toBeGreaterThan(0.88);
  // Of 45 minutes, of one GPU each.
  expect(outcome.gpuHours / 0.75).toBeLessThan(10);
});
