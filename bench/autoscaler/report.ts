/** The report for people, as Markdown. */
import { goalLines } from './goals.ts';
import { cellText, percent } from './report-text.ts';
import { excessOf, INFER, type Aggregates, type ScoredCell } from './score.ts';
import { meanOf, type Interval } from './statistics.ts';

export interface Plot {
  title: string;
  file: string;
}

/** Most cells that are listed of those where Infer is behind. */
const LISTED = 25;
/** Less than this is not worth a line. */
const NOTEWORTHY = 0.02;

/** Returns the report: the aggregates, what the goals are, where Infer is behind, what is not scored, and the plots. */
export function reportOf(
  heading: string,
  cells: readonly ScoredCell[],
  aggregates: Aggregates,
  plots: readonly Plot[],
): string {
  const { scored, flat, unattainable } = aggregates.cells;
  return [
    `# ${heading}`,
    `${scored} cells are scored; ${flat} are not, since a constant count is about as good as any plan in them, and ` +
      `${unattainable} since no known plan attains their target. \`bench/autoscaler/README.md\` says how to read this.`,
    '## All scored cells',
    policyTable(aggregates),
    '## Goals',
    goalLines(aggregates),
    '## Infer and each rival',
    comparisonTable(aggregates),
    '## Mean J by workload',
    workloadTable(cells),
    '## Where Infer is behind',
    behind(cells),
    '## Not scored',
    notScored(cells),
    ...(plots.length === 0 ? [] : ['## Over time']),
    ...plots.map(({ title, file }) => `### ${title}\n\n![${title}](${file})`),
    '',
  ].join('\n\n');
}

/** Returns the table of all policies, the best first. */
export function policyTable({ policies }: Aggregates): string {
  return table(
    ['policy', 'mean J', 'attained in', 'cost', 'attainment', 'bad minutes', 'changes', 'reversals'],
    policies.map((row) => [
      row.policy,
      row.meanJ.toFixed(3),
      percent(row.attainedShare),
      row.meanCost.toFixed(2),
      row.meanAttainment.toFixed(3),
      row.meanBadMinutes.toFixed(1),
      row.meanChanges.toFixed(1),
      row.meanReversals.toFixed(1),
    ]),
  );
}

function comparisonTable({ comparisons }: Aggregates): string {
  return table(
    ['rival', "Infer's J less the rival's", '95 % interval'],
    comparisons
      .toSorted((a, b) => b.difference.mean - a.difference.mean)
      .map(({ rival, difference }) => [rival, difference.mean.toFixed(3), intervalText(difference)]),
  );
}

function workloadTable(cells: readonly ScoredCell[]): string {
  const scored = cells.filter(({ status }) => status === 'scored');
  const workloads = [...new Set(scored.map(({ workload }) => workload))];
  const policies = [...new Set(scored.flatMap(({ scores }) => [...scores.keys()]))];
  const mean = (policy: string, workload: string): string => {
    const of = scored.filter((cell) => cell.workload === workload).flatMap(({ scores }) => scores.get(policy)?.j ?? []);
    return of.length === 0 ? '' : meanOf(of).toFixed(2);
  };
  return table(
    ['policy', ...workloads],
    policies.map((policy) => [policy, ...workloads.map((workload) => mean(policy, workload))]),
  );
}

function behind(cells: readonly ScoredCell[]): string {
  const lost = cells
    .filter(({ status }) => status === 'scored')
    .flatMap((cell) => {
      const excess = excessOf(cell);
      return excess === undefined || excess.j < NOTEWORTHY ? [] : [{ scored: cell, ...excess }];
    })
    .toSorted((a, b) => b.j - a.j);
  if (lost.length === 0) return 'Nowhere.';
  const rows = lost.slice(0, LISTED).map(({ scored, rival, j }) => {
    const own = scored.scores.get(INFER);
    return [
      cellText(scored),
      j.toFixed(2),
      rival,
      scored.scores.get(rival)?.j.toFixed(2) ?? '',
      own?.j.toFixed(2) ?? '',
      own?.attainment.toFixed(3) ?? '',
      percent(own?.lateWhileStarting ?? NaN),
      ((own?.gpuHours ?? NaN) / scored.bestGpuHours).toFixed(2),
    ];
  });
  return [
    `In ${lost.length} cells; those with the largest differences:`,
    table(['cell', 'behind by', 'rival', 'its J', "Infer's J", 'attainment', 'late while starting', 'cost'], rows),
  ].join('\n\n');
}

function notScored(cells: readonly ScoredCell[]): string {
  const left = cells.filter(({ status }) => status !== 'scored');
  if (left.length === 0) return 'All are.';
  return left.map((cell) => `- ${cellText(cell)}: ${cell.status}`).join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function intervalText({ low, high }: Interval): string {
  return Number.isNaN(low) ? 'one seed only' : `${low.toFixed(3)} to ${high.toFixed(3)}`;
}
