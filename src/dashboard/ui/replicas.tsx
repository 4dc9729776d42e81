import type { Replica } from '../../gateway/view/shapes.ts';
import { formatAge, formatNumber, formatShare, NOTHING } from '../data/format.ts';
import { replicaState } from '../data/state.ts';
import { Badge } from './icons.tsx';

export function Replicas({ replicas, now }: { replicas: readonly Replica[]; now: number }) {
  // Nodes are told to admins only.
  const hasNodes = replicas.some(({ node }) => node !== null);
  const columns = ['Replica', 'State', 'Age', ...(hasNodes ? ['Node'] : []), 'In flight', 'Waiting', 'KV cache'];
  return (
    <section aria-labelledby="replicas">
      <h2 id="replicas">Replicas</h2>
      {replicas.length === 0 ? (
        <p class="muted">No replica runs. The condition Ready says why.</p>
      ) : (
        <table class="cards replicas" role="table" aria-labelledby="replicas">
          <thead role="rowgroup">
            <tr role="row">
              {columns.map((label) => (
                <th key={label} role="columnheader" scope="col" class={isNumber(label) ? 'number' : undefined}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {replicas.map(({ name, state, reason, since, node, in_flight, waiting, kv_cache_usage }) => (
              <tr key={name} role="row">
                <th role="rowheader" scope="row" class="pod">
                  {name}
                </th>
                <td role="cell" data-label="State">
                  <Badge {...replicaState({ state })} /> {reason !== state && reason}
                </td>
                <td role="cell" data-label="Age">
                  {formatAge(since, now)}
                </td>
                {hasNodes && (
                  <td role="cell" data-label="Node">
                    {node ?? NOTHING}
                  </td>
                )}
                <td role="cell" class="number" data-label="In flight">
                  {formatNumber(in_flight)}
                </td>
                <td role="cell" class="number" data-label="Waiting">
                  {formatNumber(waiting)}
                </td>
                <td role="cell" class="number" data-label="KV cache">
                  {formatShare(kv_cache_usage)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function isNumber(label: string): boolean {
  return ['In flight', 'Waiting', 'KV cache'].includes(label);
}
