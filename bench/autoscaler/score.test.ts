import { describe, expect, test } from '@jest/globals';
import { aggregate, excessOf, INFER, INFER_TOO_LOW, scoreCell, type CellResult, type ScoredCell } from './score.ts';
import { meanWithInterval } from './statistics.ts';
import type { Outcome } from './types.ts';

function outcome(policy: string, gpuHours: number, attainment: number, changes = 0, lateWhileStarting = 0): Outcome {
  return {
    policy,
    gpuHours,
    attainment,
    changes,
    latencyP95Ms: 0,
    latencyP99Ms: 0,
    firstTokenP95Ms: 0,
    badMinutes: 0,
    lateWhileStarting,
    reversals: 0,
    plan: [],
  };
}

function cell(outcomes: Outcome[], more: Partial<CellResult> = {}): ScoredCell {
  return scoreCell({
    workload: 'day',
    targetFactor: 2,
    coldStartSeconds: 120,
    seed: 1,
    targetRps: 5,
    targetLatencyMs: 8_000,
    searchedGpuHours: 10,
    constantGpuHours: 20,
    outcomes,
    ...more,
  });
}

describe('a cell', () => {
  test('is scored by cost over the cheapest known plan, and by what is late beyond a twentieth', () => {
    const { scores, status } = cell([outcome(INFER, 12, 0.96), outcome('HPA', 11, 0.9)]);
    expect(status).toBe('scored');
    expect(scores.get(INFER)?.j).toBeCloseTo(1.2);
    expect(scores.get('HPA')?.j).toBeCloseTo(1.1 + 1);
  });

  test('is measured against a contestant that attains for less than the search found', () => {
    expect(cell([outcome(INFER, 8, 0.95), outcome('HPA', 5, 0.94)]).bestGpuHours).toBe(8);
  });

  test('is not scored where no plan attains, or a constant count is as good as any', () => {
    const unattainable = { searchedGpuHours: undefined, constantGpuHours: undefined };
    expect(cell([outcome(INFER, 12, 0.9)], unattainable).status).toBe('unattainable');
    expect(cell([outcome(INFER, 12, 0.9)], { constantGpuHours: 10.5 }).status).toBe('flat');
    expect(cell([outcome(INFER, 12, 0.9)], { constantGpuHours: 10.6 }).status).toBe('scored');
  });

  test('tells how far behind the best rival Infer is', () => {
    const excess = excessOf(cell([outcome(INFER, 13, 1), outcome('HPA', 12, 1), outcome('KPA', 18, 1)]));
    expect(excess).toMatchObject({ rival: 'HPA' });
    expect(excess?.j).toBeCloseTo(0.1);
  });
});

describe('all cells', () => {
  const cells = [1, 2].flatMap((seed) => [
    cell(
      [
        outcome(INFER, 12, seed === 1 ? 0.96 : 0.94, 4),
        outcome(INFER_TOO_LOW, 13, 0.96),
        outcome('HPA requests', 12 + seed, 0.96, 8),
        outcome('HPA in-flight', 30, 0.96, 9),
      ],
      { seed },
    ),
    cell([outcome(INFER, 100, 0.96)], { seed, constantGpuHours: 10, workload: 'flat' }),
  ]);
  const all = aggregate(cells);

  test('leaves out those that are not scored', () => {
    expect(all.cells).toEqual({ scored: 2, flat: 2, unattainable: 0 });
    expect(all.policies.find(({ policy }) => policy === INFER)).toMatchObject({
      attainedShare: 0.5,
      meanCost: 1.2,
      meanChanges: 4,
    });
  });

  test('compares with each rival over the seeds, and takes no variant of Infer for a rival', () => {
    expect(all.comparisons.map(({ rival }) => rival)).toEqual(['HPA requests', 'HPA in-flight']);
    // 1.2 - 1.3, and 1.4 - 1.4.
    expect(all.comparisons[0]?.difference.mean).toBeCloseTo(-0.05);
    expect(all.comparisons[0]?.difference.low).toBeCloseTo(-0.05 - 12.706 * 0.05);
  });

  test('finds the worst cell, of single seeds and of their means', () => {
    expect(all.worstExcess?.j).toBeCloseTo(0);
    expect(all.worstExcess?.cell.seed).toBe(2);
    expect(all.worstExcessOfSeedMeans?.j).toBeCloseTo(-0.05);
  });

  test('tells cells that were missed while replicas started from those that were missed afterwards', () => {
    const missed = [0.051, 0.05].map((late) => cell([outcome(INFER, 12, 0.94, 4, late)]));
    expect(aggregate([...cells, ...missed]).missed).toEqual({ cells: 3, whileStarting: 1 });
  });

  test('says what a wrong targetRps costs, and how often Infer changes beside HPA', () => {
    expect(all.wrongTargetRps.tooLow).toBeCloseTo((0.1 - 0.1) / 2);
    expect(all.changesToHpa).toBeCloseTo(0.5);
  });
});

test('an interval is Student’s', () => {
  const { mean, low, high } = meanWithInterval([1, 2, 3, 4, 5]);
  expect(mean).toBe(3);
  expect(high - mean).toBeCloseTo(2.776 * Math.sqrt(2.5 / 5));
  expect(mean - low).toBeCloseTo(high - mean);
  expect(meanWithInterval([1]).low).toBeNaN();
});
