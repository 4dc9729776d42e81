import { useMemo, useRef, useState } from 'preact/hooks';
import type { Summary } from '../../gateway/view/shapes.ts';
import type { Connection } from '../data/connection.ts';
import { filterDeployments, keepOrder, nextSort, sortDeployments, type Sort, type SortKey } from '../data/list.ts';
import { stateOf } from '../data/state.ts';
import type { View } from '../data/view.ts';
import { DeploymentRow } from './deployment-row.tsx';
import { Screen } from './screen.tsx';

export function ListScreen({ view, connection }: { view: View; connection: Connection }) {
  const { deployments } = view;
  return (
    <Screen title="Active models" heading="Active models" isStale={connection.state === 'lost'}>
      {connection.state === 'refused' && (
        <p role="alert" class="problem">
          {connection.error.message}
        </p>
      )}
      {deployments === undefined && connection.state !== 'refused' && <p class="muted">Loading the deployments…</p>}
      {deployments?.size === 0 && <NoDeployments />}
      {deployments !== undefined && deployments.size > 0 && <Deployments deployments={[...deployments.values()]} />}
    </Screen>
  );
}

function NoDeployments() {
  return (
    <section class="empty">
      <h2>No deployment yet</h2>
      <p>Deploy a model, and it appears here:</p>
      <pre>infer deploy Qwen/Qwen3-8B</pre>
      <p class="muted">
        You see the deployments of your key's namespace, and those that are shared with it. Other models:{' '}
        <code>infer models</code>.
      </p>
    </section>
  );
}

const COLUMNS: readonly { label: string; sortBy?: SortKey; isNumber?: boolean }[] = [
  { label: 'Deployment', sortBy: 'id' },
  { label: 'State', sortBy: 'state' },
  { label: 'Replicas', isNumber: true },
  { label: 'Requests/s', sortBy: 'rate', isNumber: true },
  { label: 'p95 / target', sortBy: 'latency', isNumber: true },
  { label: 'Scaling' },
  { label: 'Cost/hour', sortBy: 'cost', isNumber: true },
];

function Deployments({ deployments }: { deployments: readonly Summary[] }) {
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState<Sort>({ by: 'state', descending: false });
  const body = useRef<HTMLTableSectionElement>(null);
  const shown = useOrder(filterDeployments(deployments, filter), sort, body);
  const hasCost = deployments.some(({ cost }) => cost !== null);
  const columns = COLUMNS.filter(({ sortBy }) => sortBy !== 'cost' || hasCost);
  return (
    <>
      <div class="list-tools">
        <label for="filter" class="visually-hidden">
          Filter by name, model, profile or state
        </label>
        <input
          id="filter"
          type="search"
          placeholder="Filter by name, model, profile or state"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <Totals deployments={deployments} shown={shown.length} />
      </div>
      {shown.length === 0 ? (
        <p class="empty">Nothing here matches “{filter}”.</p>
      ) : (
        <table class="deployments cards" role="table" aria-label="Deployments">
          <thead role="rowgroup">
            <tr role="row">
              {columns.map(({ label, sortBy, isNumber }) => (
                <th
                  key={label}
                  role="columnheader"
                  scope="col"
                  class={isNumber ? 'number' : undefined}
                  aria-sort={sortBy === sort.by ? (sort.descending ? 'descending' : 'ascending') : undefined}
                >
                  {sortBy === undefined ? (
                    label
                  ) : (
                    <button type="button" class="sort" onClick={() => setSort(nextSort(sort, sortBy))}>
                      {label}
                      <span aria-hidden="true">{sortBy === sort.by ? (sort.descending ? ' ↓' : ' ↑') : ''}</span>
                    </button>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={body} role="rowgroup">
            {shown.map((deployment) => (
              <DeploymentRow key={deployment.id} deployment={deployment} hasCost={hasCost} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

/** Returns them in order; while a row has the focus, in the order they had. */
function useOrder(
  deployments: readonly Summary[],
  sort: Sort,
  body: { readonly current: HTMLElement | null },
): readonly Summary[] {
  const before = useRef<{ readonly sort: Sort; readonly ids: readonly string[] } | undefined>(undefined);
  const isHeld = before.current?.sort === sort && body.current?.contains(document.activeElement) === true;
  const ordered = isHeld ? keepOrder(deployments, before.current?.ids ?? []) : sortDeployments(deployments, sort);
  before.current = { sort, ids: ordered.map(({ id }) => id) };
  return ordered;
}

function Totals({ deployments, shown }: { deployments: readonly Summary[]; shown: number }) {
  const attention = useMemo(
    () => deployments.filter((one) => ['bad', 'warning'].includes(stateOf(one).tone)).length,
    [deployments],
  );
  const of = shown === deployments.length ? `${shown} deployments` : `${shown} of ${deployments.length} deployments`;
  return (
    <p class="muted">
      {deployments.length === 1 ? '1 deployment' : of}
      {attention > 0 && `, ${attention} ${attention === 1 ? 'needs' : 'need'} attention`}
    </p>
  );
}
