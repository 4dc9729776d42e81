import { expect, test } from '@jest/globals';
import { measuredEngine } from './engine-model.ts';
import { attains, searchPlans } from './oracle.ts';
import type { Cell } from './simulation.ts';
import type { SimulatedRequest } from './types.ts';

/** Half an hour at a request each 2 seconds, with ten minutes at four times that in its middle. */
function peakedCell(coldStartMs: number): Cell {
  const requests: SimulatedRequest[] = [];
  for (let atMs = 0; atMs < 1_800_000; atMs += atMs >= 600_000 && atMs < 1_200_000 ? 500 : 2_000) {
    requests.push({ arrivalMs: atMs, promptTokens: 6_000, outputTokens: 2_000 });
  }
  const workload = { name: 'peaked', requests, warmUpMs: 300_000, endMs: 1_800_000, minReplicas: 1 };
  const targets = { targetRps: 0.5, targetLatencyMs: 30_000, minReplicas: 1, maxReplicas: 12, initialReplicas: 1 };
  return { workload, targets, engine: measuredEngine(2), coldStartMs };
}

test('knows the load that comes: it has replicas ready for the peak in spite of the cold start, and only then', () => {
  const cell = peakedCell(120_000);
  const { best, bestConstant, hint } = searchPlans(cell, []);
  expect(best).toBeDefined();
  expect(attains(best ?? ({} as never))).toBe(true);
  expect(bestConstant).toBeDefined();
  expect(best?.gpuHours).toBeLessThan(0.8 * (bestConstant?.gpuHours ?? 0));
  const constant = bestConstant?.plan.at(-1)?.[1] ?? 0;
  const fewer = searchPlans({ ...cell, targets: { ...cell.targets, maxReplicas: constant - 1 } }, []);
  expect(fewer.bestConstant).toBeUndefined();
  // A hint leads to as good a plan.
  expect(searchPlans(cell, [], hint).best?.gpuHours).toBeLessThan(1.05 * (best?.gpuHours ?? 0));
});

test('takes a contestant’s plan that is cheaper than its own, if it attains', () => {
  const cell = peakedCell(30_000);
  const { best } = searchPlans(cell, []);
  if (best === undefined) throw new Error('No plan was found.');
  const cheaper = { ...best, policy: 'somebody', gpuHours: best.gpuHours / 2 };
  expect(searchPlans(cell, [cheaper]).best?.policy).toBe('somebody');
  expect(searchPlans(cell, [{ ...cheaper, attainment: 0.9 }]).best?.policy).not.toBe('somebody');
});
