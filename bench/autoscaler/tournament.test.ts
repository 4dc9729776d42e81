import { expect, test } from '@jest/globals';
import type { CellSpec } from './cells.ts';
import type { CellAnswer, CellTask } from './evaluate.ts';
import { tournament, tunedElsewhere } from './tournament.ts';
import type { Outcome } from './types.ts';

function spec(workload: string, more: Partial<CellSpec> = {}): CellSpec {
  const target = { factor: 2, latencyMs: 8_000, rps: 5 };
  const isTrace = workload.startsWith('trace');
  return {
    workload,
    source: isTrace ? { copies: 1 } : { wave: 'day' },
    target,
    targetFactor: 2,
    coldStartSeconds: 30,
    seed: 1,
    ...more,
  };
}

const first = [spec('trace x1'), spec('trace x3'), spec('day'), spec('step'), spec('day', { coldStartSeconds: 300 })];
const explored = ['trace x1', 'trace x3', 'day', 'step', 'late'].map((from) => ({
  best: { HPA: { target: from.length } },
}));

function from(own: CellSpec): number | undefined {
  return tunedElsewhere(own, first, explored)?.['HPA']?.['target'];
}

test('settings come from another workload with the same target and cold start, another one in each seed', () => {
  expect(from(spec('day'))).toBe('step'.length);
  expect(from(spec('day', { seed: 2 }))).toBe('trace x1'.length);
  expect(from(spec('day', { seed: 4 }))).toBe('step'.length);
  expect(from(spec('day', { coldStartSeconds: 300 }))).toBeUndefined();
});

test('the trace at another scale is no other workload', () => {
  expect(from(spec('trace x1'))).toBe('day'.length);
  expect(from(spec('trace x1', { seed: 2 }))).toBe('step'.length);
  expect(from(spec('trace x1', { seed: 3 }))).toBe('day'.length);
});

test('a workload without settings of its own is passed over', () => {
  const without = explored.map((answer, index) => (index === 3 ? { best: undefined } : answer));
  expect(tunedElsewhere(spec('day'), first, without)?.['HPA']?.['target']).toBe('trace x1'.length);
});

test('the first seed is explored before the others, and gets the tuned ones afterwards', async () => {
  const asked: CellTask[][] = [];
  const specs = [1, 2].flatMap((seed) => [spec('day', { seed }), spec('step', { seed })]);
  const { cells, series } = await tournament(
    specs,
    ({ workload }) => workload === 'day',
    (tasks) => {
      asked.push([...tasks]);
      return Promise.resolve(tasks.map(answer));
    },
  );
  expect(asked.map((tasks) => tasks.map(({ withAll }) => withAll))).toEqual([
    [true, true],
    [false, false, true, true],
  ]);
  expect(asked[1]?.map(({ hint }) => hint?.constant)).toEqual([3, 3, 3, 3]);
  expect(cells.map(({ outcomes }) => outcomes.map(({ policy }) => policy))).toEqual([
    ['all', 'tuned'],
    ['all', 'tuned'],
    ['all', 'tuned'],
    ['all', 'tuned'],
  ]);
  expect(cells.map(({ searchedGpuHours }) => searchedGpuHours)).toEqual([7, 7, 7, 7]);
  expect(series.map(({ cell }) => cell.workload)).toEqual(['day']);
});

function answer({ spec: own, withAll, tuned, withSeries, withGrids }: CellTask): CellAnswer {
  const { target, source: _, ...name } = own;
  const policies = [...(withAll ? ['all'] : []), ...(tuned === undefined ? [] : ['tuned'])];
  return {
    result: {
      ...name,
      targetRps: target.rps,
      targetLatencyMs: target.latencyMs,
      outcomes: policies.map((policy) => ({ policy }) as Outcome),
      searchedGpuHours: withAll ? 7 : undefined,
      constantGpuHours: undefined,
    },
    hint: { widthSteps: 12, capacity: 1, constant: 3 },
    best: withGrids ? { HPA: { target: 1 } } : undefined,
    series: withSeries ? { targetLatencyMs: 1, arrivals: [], policies: [] } : undefined,
  };
}
