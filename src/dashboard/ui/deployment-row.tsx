import { Component } from 'preact';
import type { Summary } from '../../gateway/view/shapes.ts';
import { formatMilliseconds, formatMoney, formatNumber, NOTHING } from '../data/format.ts';
import { detailHref } from '../data/route.ts';
import { reasonBeside, stateOf } from '../data/state.ts';
import { Badge } from './icons.tsx';

interface RowProps {
  deployment: Summary;
  hasCost: boolean;
}

/** A row is drawn again only when the gateway sent its deployment again. */
export class DeploymentRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.deployment !== this.props.deployment || next.hasCost !== this.props.hasCost;
  }

  override render({ deployment, hasCost }: RowProps) {
    const { id, model, hardware_profile, reason, message, replicas, scaling, live, cost } = deployment;
    const state = stateOf(deployment);
    const beside = reasonBeside(state, reason);
    const needsAttention = state.tone === 'bad' || state.tone === 'warning';
    return (
      <tr role="row">
        <th role="rowheader" scope="row" class="name wide">
          <a href={detailHref(id)}>{id}</a>
          <span class="sub" title={model}>
            {model}
          </span>
        </th>
        <td role="cell" class="wide">
          <Badge {...state} /> {beside !== undefined && <span class="reason">{beside}</span>}
          <span class={needsAttention ? 'sub sentence' : 'sub'} title={message}>
            {needsAttention ? message : hardware_profile}
          </span>
        </td>
        <td role="cell" class="number" data-label="Replicas">
          {replicas.ready}/{replicas.desired}
          <span class="sub">
            {replicas.min}–{replicas.max}
          </span>
        </td>
        <td role="cell" class="number" data-label="Requests/s">
          {formatNumber(live?.requests_per_second ?? null)}
          <span class="sub">{live !== null && live.queued > 0 ? `${formatNumber(live.queued)} queued` : ''}</span>
        </td>
        <td role="cell" class="number" data-label="p95 / target">
          <Latency p95={live?.latency_p95_ms ?? null} target={scaling.target_latency_p95_ms} />
        </td>
        <td role="cell" class="wide scaling" data-label="Scaling">
          {scaling.reason || NOTHING}
          <span class="sub" title={scaling.message}>
            {scaling.limited_by === null ? scaling.message : `limited by ${scaling.limited_by}`}
          </span>
        </td>
        {hasCost && (
          <td role="cell" class="number" data-label="Cost/hour">
            {cost === null ? NOTHING : formatMoney(cost.per_hour, cost.currency)}
          </td>
        )}
      </tr>
    );
  }
}

function Latency({ p95, target }: { p95: number | null; target: number }) {
  const isOver = p95 !== null && p95 > target;
  return (
    <>
      <span class={isOver ? 'over' : undefined}>
        {isOver && <span aria-hidden="true">▲ </span>}
        {formatMilliseconds(p95)}
        {isOver && <span class="visually-hidden"> (over target)</span>}
      </span>
      <span class="sub">{formatMilliseconds(target)}</span>
    </>
  );
}
