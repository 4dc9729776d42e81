/** What was measured, and what it says. */
import { Histogram, type LatencySummary } from '../../test/load/histogram.ts';
import { alignTable } from '../../test/load/report.ts';
import type { Latencies } from './measure.ts';

/** The names of the targets; the gateway's is what the others are compared with. */
export const DIRECT = 'direct';
export const BARE = 'bare proxy';
export const GATEWAY = 'gateway';

/** What one target did in one scenario, round by round. */
export class Measured {
  readonly perSecond: number[] = [];
  /** Processor time of the target's process for a request. */
  readonly cpuMicroseconds: number[] = [];
  readonly latencies: Latencies = { firstByte: new Histogram(), end: new Histogram() };
  failed = 0;
}

/** Scenario → target → what was measured. */
export type Results = Map<string, Map<string, Measured>>;

/** A target in a scenario, for the line of JSON. Latencies in milliseconds. */
export interface Row {
  scenario: string;
  target: string;
  requestsPerSecond: number;
  cpuMicrosecondsPerRequest: number;
  firstByteMs: LatencySummary | undefined;
  endMs: LatencySummary | undefined;
  failed: number;
  /** Of the requests per second, in the median of the rounds. */
  ratioToBareProxy: number;
  /** The bare proxy's processor time for a request to this one's: the ratio of rates where nothing else is busy. */
  cpuRatioToBareProxy: number;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

/** Returns the median of the rounds' quotients, to hundredths. */
function ratio(above: readonly number[] = [], below: readonly number[] = []): number {
  return Number(median(above.map((value, round) => value / (below[round] ?? NaN))).toFixed(2));
}

/** Returns a row per scenario and target. Ratios are taken within a round, since a shared machine changes its pace. */
export function rowsOf(results: Results): Row[] {
  return [...results].flatMap(([scenario, targets]) => {
    const bare = targets.get(BARE);
    return [...targets].map(([target, measured]) => ({
      scenario,
      target,
      requestsPerSecond: Math.round(median(measured.perSecond)),
      cpuMicrosecondsPerRequest: Math.round(median(measured.cpuMicroseconds)),
      firstByteMs: measured.latencies.firstByte.summary(),
      endMs: measured.latencies.end.summary(),
      failed: measured.failed,
      ratioToBareProxy: ratio(measured.perSecond, bare?.perSecond),
      cpuRatioToBareProxy: ratio(bare?.cpuMicroseconds, measured.cpuMicroseconds),
    }));
  });
}

type Quantile = 'p50' | 'p99';

/** Returns what the target adds to the direct way, in milliseconds. */
function added(row: Row, rows: readonly Row[], latency: 'firstByteMs' | 'endMs', quantile: Quantile): number {
  const direct = rows.find(({ scenario, target }) => scenario === row.scenario && target === DIRECT);
  return (row[latency]?.[quantile] ?? NaN) - (direct?.[latency]?.[quantile] ?? NaN);
}

function cells(row: Row, rows: readonly Row[]): string[] {
  const time = (latency: 'firstByteMs' | 'endMs', quantile: Quantile): string => {
    if (row.target === DIRECT) return (row[latency]?.[quantile] ?? NaN).toFixed(2);
    const value = added(row, rows, latency, quantile);
    return `${value < 0 ? '' : '+'}${value.toFixed(2)}`;
  };
  return [
    row.scenario,
    row.target,
    String(row.requestsPerSecond),
    row.ratioToBareProxy.toFixed(2),
    String(row.cpuMicrosecondsPerRequest),
    row.cpuRatioToBareProxy.toFixed(2),
    time('firstByteMs', 'p50'),
    time('firstByteMs', 'p99'),
    time('endMs', 'p50'),
    time('endMs', 'p99'),
    String(row.failed),
  ];
}

const COLUMNS = [
  'scenario',
  'target',
  'req/s',
  'to bare',
  'CPU us',
  'to bare',
  'first p50',
  'p99',
  'end p50',
  'p99',
  'failed',
];

/** Returns the table: latencies of the direct way, and what each other target adds to them. */
export function formatRows(rows: readonly Row[]): string {
  return alignTable([COLUMNS, ...rows.map((row) => cells(row, rows))]).join('\n');
}

/** Returns a sentence for each scenario and rival to which the gateway loses in rate or latency. */
export function losses(rows: readonly Row[]): string[] {
  return rows
    .filter(({ target }) => target !== DIRECT && target !== GATEWAY)
    .flatMap((rival) => {
      const own = rows.find(({ scenario, target }) => scenario === rival.scenario && target === GATEWAY);
      if (own === undefined) return [];
      const lost: string[] = [];
      const rate = own.requestsPerSecond / rival.requestsPerSecond;
      if (rate < 1) lost.push(`it holds ${rate.toFixed(2)} of the requests per second`);
      for (const [latency, what] of [['firstByteMs', 'first byte'] as const, ['endMs', 'end'] as const]) {
        for (const quantile of ['p50', 'p99'] as const) {
          const more = added(own, rows, latency, quantile) - added(rival, rows, latency, quantile);
          if (more > 0.05) lost.push(`${what} ${quantile} comes ${more.toFixed(2)} ms later`);
        }
      }
      return lost.length === 0 ? [] : [`${rival.scenario}: loses to ${rival.target}: ${lost.join(', ')}.`];
    });
}
