/** What a plot of one cell shows. */
import { ORACLE } from './oracle.ts';
import type { Panel } from './plot.ts';
import { cellText } from './report-text.ts';
import type { Plot } from './report.ts';
import { INFER, type CellName } from './score.ts';
import type { Series } from './series.ts';

/** More lines than these cannot be told apart. */
const SHOWN = [INFER, ORACLE, 'HPA in-flight', 'HPA requests', 'KPA concurrency', 'KPA requests', 'KubeAI', 'WVA'];
/** In latencies above this many targets nobody is interested. */
const TARGETS_SHOWN = 3;

/** Returns the panels of a cell's plot and the file to write it to. */
export function plotted(cell: CellName, { arrivals, policies, targetLatencyMs }: Series): Plot & { panels: Panel[] } {
  const shown = SHOWN.flatMap((name) => policies.find(({ policy }) => policy === name) ?? []);
  const seconds = targetLatencyMs / 1_000;
  return {
    title: cellText(cell),
    file: `${cell.workload.replaceAll(/[^a-z0-9-]+/g, '-')}.svg`,
    panels: [
      { title: 'requests per second that arrive', lines: [{ name: 'arrivals', values: arrivals }] },
      {
        title: 'replicas wanted',
        lines: shown.map(({ policy, replicas }) => ({ name: policy, values: replicas })),
      },
      {
        title: `p95 of the minute, in seconds (target ${seconds.toFixed(1)} s)`,
        lines: shown.map(({ policy, latencyP95Ms }) => ({
          name: policy,
          values: latencyP95Ms.map((value) => value / 1_000),
        })),
        mark: seconds,
        most: TARGETS_SHOWN * seconds,
      },
    ],
  };
}
