/** The results as one line of JSON. */
import type { Aggregates, ScoredCell } from './score.ts';

/** Returns the line: `head`, all cells with what each policy did in them, and the aggregates. Numbers have four digits. */
export function jsonOf(head: object, cells: readonly ScoredCell[], aggregates: Aggregates): string {
  const rows = cells.map(({ scores, ...cell }) => ({
    ...cell,
    policies: Object.fromEntries(
      [...scores].map(([policy, score]) => [
        policy,
        {
          j: score.j,
          attainment: score.attainment,
          lateWhileStarting: score.lateWhileStarting,
          latencyP95Ms: score.latencyP95Ms,
          latencyP99Ms: score.latencyP99Ms,
          firstTokenP95Ms: score.firstTokenP95Ms,
          badMinutes: score.badMinutes,
          gpuHours: score.gpuHours,
          changes: score.changes,
          reversals: score.reversals,
        },
      ]),
    ),
  }));
  return JSON.stringify({ ...head, aggregates, cells: rows }, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );
}
