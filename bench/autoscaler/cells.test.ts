import { describe, expect, test } from '@jest/globals';
import { calibrate, cellsOf, parseWaves, realise } from './cells.ts';
import { GRID_SIZE, RIVALS } from './contestants.ts';
import { measuredEngine } from './engine-model.ts';

const engine = measuredEngine(2);
const trace = Array.from({ length: 3_600 }, (_, second) => ({
  arrivalMs: second * 1_000,
  promptTokens: 5_000 + (second % 7) * 300,
  outputTokens: 1_000 + (second % 5) * 80,
}));
const targets = calibrate(engine, trace, [1.25, 4]);
const matrix = {
  scales: [1, 3],
  waves: parseWaves('day,on-off'),
  targetFactors: [1.25, 4],
  coldStartSeconds: [30],
  seeds: 2,
};
const specs = cellsOf(matrix, targets);

test('a looser target lets a replica do more', () => {
  const [tight, loose] = targets;
  expect(loose?.latencyMs).toBeGreaterThan(3 * (tight?.latencyMs ?? 0));
  expect(loose?.rps).toBeGreaterThan(tight?.rps ?? 0);
});

test('the cells are all combinations', () => {
  expect(specs).toHaveLength(4 * 2 * 1 * 2);
  expect(new Set(specs.map(({ workload }) => workload))).toEqual(new Set(['trace x1', 'trace x3', 'day', 'on-off']));
});

describe('a cell', () => {
  const realised = specs.filter(({ seed }) => seed === 1).map((spec) => realise(spec, trace, engine));

  test('may have twice the replicas that its busiest minute asks for; waves need a dozen at most', () => {
    for (const { cell, situation } of realised) {
      const needed = situation.peakRps / cell.targets.targetRps;
      expect(cell.targets.maxReplicas).toBeGreaterThanOrEqual(2 * needed);
      expect(cell.targets.initialReplicas).toBeGreaterThanOrEqual(1);
      expect(cell.targets.initialReplicas).toBeLessThanOrEqual(cell.targets.maxReplicas);
      if (!cell.workload.name.startsWith('trace')) expect(needed).toBeLessThan(14);
    }
  });

  test('may go to zero in a wave with pauses, and nowhere else', () => {
    for (const { cell } of realised) {
      expect(cell.targets.minReplicas).toBe(cell.workload.name === 'on-off' ? 0 : 1);
    }
  });

  test('gives every rival as many points to try, each a policy', () => {
    const [first] = realised;
    if (first === undefined) throw new Error('There is no cell.');
    for (const rival of RIVALS) {
      const grid = rival.grid(first.situation);
      expect(new Set(grid.map((point) => JSON.stringify(point))).size).toBe(GRID_SIZE);
      for (const settings of grid) {
        expect(Object.values(settings).every((value) => value > 0)).toBe(true);
        expect(rival.create('tuned', settings, first.situation).create(first.cell.targets).periodMs).toBeGreaterThan(0);
      }
    }
  });
});

test('an unknown wave is named', () => {
  expect(() => parseWaves('day,tsunami')).toThrow("WAVES names 'tsunami'; there are day, ");
  expect(parseWaves('none')).toEqual([]);
  expect(parseWaves('')).toHaveLength(8);
});
