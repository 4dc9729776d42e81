import { expect, test } from '@jest/globals';
import { calibrate, cellsOf } from './cells.ts';
import { RIVALS } from './contestants.ts';
import { measuredEngine } from './engine-model.ts';
import { evaluate } from './evaluate.ts';
import { plot } from './plot.ts';
import { plotted } from './plotted.ts';
import { reportOf } from './report.ts';
import { aggregate, INFER, scoreCell } from './score.ts';

const engine = measuredEngine(2);
// Half an hour, a third of it three times as busy, and long requests: few are much work.
const trace = Array.from({ length: 300 }, (_, at) => ({
  arrivalMs: (at < 75 ? at : at < 225 ? 75 + (at - 75) / 3 : at - 100) * 9_000,
  promptTokens: 6_000,
  outputTokens: 3_000,
}));
const targets = calibrate(engine, trace, [2]);
const matrix = { scales: [4], waves: [], targetFactors: [2], coldStartSeconds: [120], seeds: 1 };
const [spec] = cellsOf(matrix, targets);

test('a cell has everybody, the best settings of each rival, and a plan to measure them by', () => {
  if (spec === undefined) throw new Error('There is no cell.');
  const { result, best, hint, series } = evaluate(
    { spec, withAll: true, withGrids: true, withSeries: true },
    trace,
    engine,
  );
  expect(Object.keys(best ?? {})).toEqual(RIVALS.map(({ name }) => name));
  const tuned = evaluate(
    { spec, withAll: false, withGrids: false, withSeries: false, tuned: best ?? {} },
    trace,
    engine,
  ).result;
  const cell = scoreCell({ ...result, outcomes: [...result.outcomes, ...tuned.outcomes] });
  // The settings were tried in this very cell, so that none is worse than the rival is without them.
  for (const { name } of RIVALS.filter((rival) => rival.name.startsWith('KPA') || rival.name === 'KubeAI')) {
    expect(cell.scores.get(`${name}, tuned elsewhere`)?.j).toBeLessThanOrEqual(cell.scores.get(name)?.j ?? 0);
  }
  const constantMinimum = cell.scores.get('constant minimum');
  const constantMaximum = cell.scores.get('constant maximum');
  expect(constantMinimum?.gpuHours).toBeLessThan(cell.bestGpuHours);
  expect(constantMinimum?.j).toBeGreaterThan(2);
  expect(constantMaximum?.attainment).toBeGreaterThan(0.95);
  expect(constantMaximum?.gpuHours).toBeGreaterThan(1.5 * cell.bestGpuHours);
  expect(hint?.constant).toBeGreaterThan(1);

  const aggregates = aggregate([cell]);
  const report = reportOf('A cell', [cell], aggregates, [{ title: 'a plot', file: 'a.svg' }]);
  for (const part of ['| infer |', '## Goals', '![a plot](a.svg)', '| HPA requests, tuned elsewhere |']) {
    expect(report).toContain(part);
  }
  if (series === undefined) throw new Error('There is no series.');
  const { file, title, panels } = plotted(cell, series);
  expect(file).toBe('trace-x4.svg');
  const svg = plot(title, 'min', panels);
  expect(svg.match(/<path /g)?.length).toBe(panels.flatMap(({ lines }) => lines).length);
  expect(svg).toContain(`>${INFER}</text>`);
  expect(svg).not.toContain('NaN');
});
