/** Samples as the columns that charts draw, and in words for those who do not see them. */
import type { Live } from '../../gateway/view/shapes.ts';

export type Values = (number | null)[];

/** Two samples further apart than this, in seconds, are not joined by a line: between them nothing is known. */
const GAP_SECONDS = 20;

/** Returns the times and, for each of `picks`, the values at them; a null stands in every gap. */
export function toColumns(
  samples: readonly Live[],
  picks: readonly ((sample: Live) => number | null)[],
): { times: number[]; columns: Values[] } {
  const times: number[] = [];
  const columns: Values[] = picks.map(() => []);
  for (const sample of samples) {
    const last = times.at(-1);
    // uPlot needs times that rise; a gateway that took over may repeat one.
    if (last !== undefined && sample.time <= last) continue;
    if (last !== undefined && sample.time - last > GAP_SECONDS) {
      times.push((last + sample.time) / 2);
      for (const column of columns) column.push(null);
    }
    times.push(sample.time);
    picks.forEach((pick, index) => columns[index]?.push(pick(sample)));
  }
  return { times, columns };
}

/** Returns "12.3 now, 2 to 20.4 in the last 15 minutes", or that there is nothing. */
export function describeValues(values: Values, format: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  const now = values.at(-1);
  if (known.length === 0) return 'nothing in the last 15 minutes';
  const [low, high] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))].map(format);
  const range = low === high ? `${low} all the time` : `${low} to ${high}`;
  return `${now === null || now === undefined ? 'nothing' : format(now)} now, ${range} in the last 15 minutes`;
}

/** Returns for a table the last value of each minute, newest first. */
export function everyMinute(times: readonly number[], columns: readonly Values[]): { time: number; values: Values }[] {
  const rows = new Map<number, { time: number; values: Values }>();
  times.forEach((time, index) => {
    const values = columns.map((column) => column[index] ?? null);
    if (values.some((value) => value !== null)) rows.set(Math.floor(time / 60), { time, values });
  });
  return [...rows.values()].toReversed();
}
