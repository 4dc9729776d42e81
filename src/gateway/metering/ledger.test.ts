import { describe, expect, test } from '@jest/globals';
import { ROWS_PER_REPORT, usageReport, type UsageReport } from '../../channel/usage-report.ts';
import { UsageLedger, type Usage } from './ledger.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 10, 26, 5, 30);

function use(key = 'web', namespace = 'team-a'): Usage {
  return { key: { namespace, name: key }, deployment: { namespace: 'team-a', name: 'chat' } };
}

function ledger(mostRows?: number): { ledger: UsageLedger; dropped: number[] } {
  const dropped: number[] = [];
  return { ledger: new UsageLedger((rows) => dropped.push(rows), mostRows), dropped };
}

const pending = (of: UsageLedger, now = NOW): UsageReport[] => of.pending(now).toArray();
const requests = (of: UsageLedger): number[] => pending(of).flatMap(({ rows }) => rows.map((row) => row.requests));

describe('what is not stored', () => {
  test('is told with all that the part has, until it is stored', () => {
    const { ledger: kept } = ledger();
    kept.add(use(), { requests: 1, promptTokens: 5 }, NOW);
    const [first] = pending(kept);
    expect(usageReport.parse(first)).toMatchObject({
      namespace: 'team-a',
      hour: Date.UTC(2026, 10, 26, 5) / 1000,
      replaces: null,
      rows: [{ key: 'web', namespace: 'team-a', deployment: 'chat', requests: 1, promptTokens: 5, cachedTokens: 0 }],
    });
    expect(pending(kept)).toEqual([first]);
    kept.add(use(), { requests: 1 }, NOW);
    // What was added after it was sent is not stored.
    if (first !== undefined) kept.stored(first);
    const [second] = pending(kept);
    expect(second).toMatchObject({ part: first?.part, replaces: first?.revision, rows: [{ requests: 2 }] });
    if (second !== undefined) kept.stored(second);
    expect(pending(kept)).toEqual([]);
  });

  test('is a part for each hour and namespace, and for so many rows', () => {
    const { ledger: kept } = ledger();
    for (let index = 0; index < ROWS_PER_REPORT + 1; index += 1) kept.add(use(`key-${index}`), { requests: 1 }, NOW);
    kept.add(use('web', 'team-b'), { requests: 1 }, NOW);
    kept.add(use('web', 'team-b'), { requests: 1 }, NOW + HOUR_MS);
    const reports = pending(kept);
    expect(reports.map(({ namespace, rows }) => [namespace, rows.length])).toEqual([
      ['team-a', ROWS_PER_REPORT],
      ['team-a', 1],
      ['team-b', 1],
      ['team-b', 1],
    ]);
    expect(new Set(reports.map(({ part }) => part)).size).toBe(4);
  });
});

test('a clock that goes back to an hour that was stored and forgotten begins another part of it', () => {
  const { ledger: kept } = ledger();
  kept.add(use(), { requests: 1 }, NOW);
  const [first] = pending(kept);
  if (first !== undefined) kept.stored(first);
  expect(pending(kept, NOW + HOUR_MS)).toEqual([]);
  kept.add(use(), { requests: 1 }, NOW);
  const [second] = pending(kept);
  expect(second).toMatchObject({ hour: first?.hour, replaces: null, rows: [{ requests: 1 }] });
  expect(second?.part).not.toBe(first?.part);
});

test('without room, what is stored goes first, then the oldest hour, which is told', () => {
  const { ledger: kept, dropped } = ledger(2);
  kept.add(use('a'), { requests: 1 }, NOW);
  const [first] = pending(kept);
  if (first !== undefined) kept.stored(first);
  kept.add(use('b', 'team-b'), { requests: 2 }, NOW);
  kept.add(use('c', 'team-c'), { requests: 3 }, NOW - HOUR_MS);
  expect(dropped).toEqual([]);
  expect(requests(kept)).toEqual([3, 2]);
  kept.add(use('d', 'team-d'), { requests: 4 }, NOW);
  expect(dropped).toEqual([1]);
  expect(requests(kept)).toEqual([2, 4]);
});

test('a part is what it is when its turn comes, and none where it was given up before', () => {
  const { ledger: kept } = ledger();
  for (const namespace of ['team-a', 'team-b', 'team-c']) kept.add(use('web', namespace), { requests: 1 }, NOW);
  const [first, second] = pending(kept);
  const reports = kept.pending(NOW);
  expect(reports.next().value).toEqual(first);
  if (second !== undefined) expect(kept.refused(second)).toBe(1);
  kept.add(use('web', 'team-c'), { requests: 1 }, NOW);
  expect(reports.toArray()).toMatchObject([{ namespace: 'team-c', rows: [{ requests: 2 }] }]);
});

test('what was refused is forgotten, and what comes after it begins another part', () => {
  const { ledger: kept } = ledger();
  kept.add(use('a'), { requests: 1 }, NOW);
  kept.add(use('b'), { requests: 1 }, NOW);
  const [first] = pending(kept);
  if (first !== undefined) expect(kept.refused(first)).toBe(2);
  expect(pending(kept)).toEqual([]);
  kept.add(use('a'), { requests: 5 }, NOW);
  const [second] = pending(kept);
  expect(second).toMatchObject({ replaces: null, rows: [{ key: 'a', requests: 5 }] });
  expect(second?.part).not.toBe(first?.part);
});

test('rows of which something is stored are not counted among those that are lost', () => {
  const { ledger: kept, dropped } = ledger(2);
  kept.add(use('a'), { requests: 1 }, NOW);
  for (const report of pending(kept)) kept.stored(report);
  kept.add(use('a'), { requests: 1 }, NOW);
  kept.add(use('b'), { requests: 1 }, NOW);
  const [report] = pending(kept);
  kept.add(use('c'), { requests: 1 }, NOW);
  expect(dropped).toEqual([1]);
  expect(report?.rows).toHaveLength(2);

  const { ledger: other } = ledger();
  other.add(use('a'), { requests: 1 }, NOW);
  for (const first of pending(other)) other.stored(first);
  other.add(use('b'), { requests: 1 }, NOW);
  expect(pending(other).map((second) => other.refused(second))).toEqual([1]);
});

test('a sum stays one that can be stored', () => {
  const { ledger: kept } = ledger();
  for (let times = 0; times < 3; times += 1) kept.add(use(), { promptTokens: Number.MAX_SAFE_INTEGER }, NOW);
  expect(usageReport.parse(pending(kept)[0]).rows).toMatchObject([{ promptTokens: Number.MAX_SAFE_INTEGER }]);
});
