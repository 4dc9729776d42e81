import { expect, test } from '@jest/globals';
import { STEP_MS } from './plan-grid.ts';
import { thin } from './thinning.ts';
import type { Outcome } from './types.ts';

const BLOCKS = 12;
const steps = BLOCKS * 60;
const workload = { name: '', requests: [], warmUpMs: 0, endMs: steps * STEP_MS, minReplicas: 1 };

test('replicas are taken where there is least to do, for as long as enough is in time', () => {
  // Half of the blocks are busy: two replicas are needed in them, one in the others.
  const need = Array.from({ length: steps }, (_, step) => (Math.floor(step / 60) % 2 === 0 ? 2 : 1));
  let runs = 0;
  const run = (counts: readonly number[]): Outcome => {
    runs++;
    const gpuHours = counts.reduce((sum, count) => sum + count, 0);
    const attainment = counts.every((count, step) => count >= (need[step] ?? 0)) ? 1 : 0;
    return { gpuHours, attainment } as Outcome;
  };
  const work = Float64Array.from(need, (count) => count * 0.75);
  const task = { counts: need.map(() => 3), workload, work, capacity: 1, coldStartSteps: 0, minReplicas: 1, run };
  expect(thin({ ...task, budget: 60 })?.gpuHours).toBe(need.reduce((sum, count) => sum + count, 0));
  expect(runs).toBeLessThanOrEqual(60);
  expect(thin({ ...task, counts: need, budget: 3 })).toBeUndefined();
});
