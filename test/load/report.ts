import type { LatencySummary } from './histogram.ts';

/** Requests of one kind in one phase; each is counted once, as one of ok, failed, cut and late. */
export interface KindReport {
  requests: number;
  ok: number;
  /** Without a whole answer: an error status, a refused or broken connection, a timeout. */
  failed: number;
  /** Streams that began and ended in an error event or without [DONE]. */
  cut: number;
  /** Whole answers whose first byte came too late. */
  late: number;
  /** From the arrival to the first byte, or the first event of a stream; of whole answers only. */
  firstByteMs?: LatencySummary;
  /** From the arrival to the end of the answer; of whole answers only. */
  endMs?: LatencySummary;
}

/** A part of the run. A request belongs to the phase in which it arrived. */
export interface PhaseReport {
  name: string;
  seconds: number;
  unary: KindReport;
  stream: KindReport;
}

/** One of the first requests that went wrong. */
export interface FailureExample {
  /** ISO 8601. */
  at: string;
  phase: string;
  kind: 'unary' | 'stream';
  reason: string;
  message: string;
  requestId?: string;
}

/** What a load run has seen. */
export interface LoadReport {
  seconds: number;
  requests: number;
  ok: number;
  failed: number;
  cut: number;
  late: number;
  /** Sent again since a kept-alive connection closed before the first byte. */
  reconnects: number;
  /** How late requests were sent, in milliseconds; more than a few tell that the machine was too busy to measure. */
  sendLagMs?: LatencySummary;
  /** How often requests failed or were cut, by reason. */
  reasons: Record<string, number>;
  examples: FailureExample[];
  phases: PhaseReport[];
}

/** Returns the sentence that says why a run is not one of "zero failed"; undefined when it is. */
export function zeroFailedViolation(report: LoadReport): string | undefined {
  if (report.requests === 0) return 'No request was sent.';
  if (report.failed + report.cut === 0) return undefined;
  const reasons = Object.entries(report.reasons).map(([reason, count]) => `${count} × ${reason}`);
  return `Of ${report.requests} requests ${report.failed} failed and ${report.cut} were cut: ${reasons.join(', ')}.`;
}

const COLUMNS = ['phase', 'kind', 'requests', 'ok', 'failed', 'cut', 'late'];
const LATENCIES = ['first p50', 'p95', 'p99', 'end p50', 'p95', 'p99'];

function latencies(summary: LatencySummary | undefined): string[] {
  if (summary === undefined) return ['-', '-', '-'];
  return [summary.p50, summary.p95, summary.p99].map((value) => value.toFixed(1));
}

function row(phase: string, kind: string, report: KindReport): string[] {
  const counts = [report.requests, report.ok, report.failed, report.cut, report.late].map(String);
  return [phase, kind, ...counts, ...latencies(report.firstByteMs), ...latencies(report.endMs)];
}

/** Returns the lines of a table with its columns aligned, the first two to the left. */
export function alignTable(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  return rows.map((cells) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** Returns the report as text for a person: a row per phase and kind, latencies in milliseconds, and what went wrong. */
export function formatReport(report: LoadReport): string {
  const rows = report.phases.flatMap(({ name, unary, stream }) => [
    ...(unary.requests > 0 ? [row(name, 'unary', unary)] : []),
    ...(stream.requests > 0 ? [row(name, 'stream', stream)] : []),
  ]);
  const lines = alignTable([[...COLUMNS, ...LATENCIES], ...rows]);
  lines.push(
    `${report.requests} requests in ${report.seconds.toFixed(1)} s: ${report.ok} ok, ${report.failed} failed, ` +
      `${report.cut} cut, ${report.late} late; ${report.reconnects} reconnects; ` +
      `sent at most ${report.sendLagMs?.max ?? 0} ms after their arrival`,
  );
  for (const [reason, count] of Object.entries(report.reasons)) lines.push(`  ${count} × ${reason}`);
  for (const { at, phase, kind, message, requestId } of report.examples) {
    lines.push(`  ${at} ${phase} ${kind}${requestId === undefined ? '' : ` ${requestId}`}: ${message}`);
  }
  return lines.join('\n');
}
