import { expect, test } from '@jest/globals';
import { seededRandom, nextArrival } from '../../test/load/random.ts';
import { ENGINE_MODEL } from './engine.ts';
import { FIGURES } from './figures.ts';
import { predict } from './prediction.ts';

test('a prediction spans what the moments of the ticks make of it', () => {
  const random = seededRandom(3);
  let arrivalMs = 0;
  const requests = Array.from({ length: 600 }, () => {
    arrivalMs += 1_000 * nextArrival(4, random);
    return { arrivalMs, promptTokens: 900, outputTokens: 150 };
  });
  const workload = { name: 'test', requests, warmUpMs: 30_000, endMs: arrivalMs + 1, minReplicas: 1 };
  const targets = { targetRps: 1.5, targetLatencyMs: 6_000, minReplicas: 1, maxReplicas: 6, initialReplicas: 2 };
  const { mean, least, most } = predict({ workload, targets, engine: ENGINE_MODEL, coldStartMs: 15_000 });
  for (const figure of FIGURES) {
    expect(least[figure]).toBeLessThanOrEqual(mean[figure]);
    expect(most[figure]).toBeGreaterThanOrEqual(mean[figure]);
  }
  expect(least.gpuHours).toBeLessThan(most.gpuHours);
  // Of as much time, whenever the ticks come: at least one replica, and no more than there may be.
  const hours = (workload.endMs - workload.warmUpMs) / 3_600_000;
  expect(least.gpuHours).toBeGreaterThan(hours);
  expect(most.gpuHours).toBeLessThan(6 * hours);
});
