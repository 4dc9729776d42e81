import type { ComponentChildren } from 'preact';
import type { Cost, Detail } from '../../gateway/view/shapes.ts';
import { formatMilliseconds, formatMoney, formatNumber } from '../data/format.ts';

/** The numbers of now, each with what it is measured by. */
export function Figures({ detail }: { detail: Detail }) {
  const { live, replicas, scaling, cost } = detail;
  const p95 = live?.latency_p95_ms ?? null;
  const isOver = p95 !== null && p95 > scaling.target_latency_p95_ms;
  return (
    <dl class="figures">
      <Figure label="Replicas ready" value={`${replicas.ready} of ${replicas.desired}`}>
        {replicaText(replicas)}
      </Figure>
      <Figure label="Requests/s" value={formatNumber(live?.requests_per_second ?? null)}>
        {rateText(detail)}
      </Figure>
      <Figure label="Latency p95" value={formatMilliseconds(p95)} isOver={isOver}>
        {isOver ? '▲ over the target of ' : 'target '}
        {formatMilliseconds(scaling.target_latency_p95_ms)}
      </Figure>
      <Figure label="First token p95" value={formatMilliseconds(live?.ttft_p95_ms ?? null)}>
        {live !== null && `half of all answers within ${formatMilliseconds(live.latency_p50_ms)}`}
      </Figure>
      <Figure label="In flight" value={formatNumber(live?.in_flight ?? null)}>
        {live !== null && `${formatNumber(live.queued)} queued`}
      </Figure>
      {cost !== null && <CostFigure cost={cost} />}
    </dl>
  );
}

function replicaText({ min, max, starting, draining, failed }: Detail['replicas']): string {
  const others = [
    [starting, 'starting'],
    [draining, 'draining'],
    [failed, 'failed'],
  ] as const;
  const counts = others.flatMap(([count, word]) => (count > 0 ? [`${count} ${word}`] : []));
  return [`${min} to ${max}`, ...counts].join(', ');
}

function rateText({ learned, scaling }: Detail): string {
  const rate = learned?.requests_per_second ?? null;
  return rate === null
    ? `target ${formatNumber(scaling.target_rps)} per replica`
    : `a replica serves ${formatNumber(rate)}, as was learned`;
}

function CostFigure({ cost: { currency, per_hour, per_day, per_million_tokens } }: { cost: Cost }) {
  return (
    <Figure label="Cost per hour" value={formatMoney(per_hour, currency)}>
      {formatMoney(per_day, currency)} per day
      {per_million_tokens !== null && (
        <>
          <br />
          {formatMoney(per_million_tokens, currency)} per million tokens
        </>
      )}
    </Figure>
  );
}

interface FigureProps {
  label: string;
  value: string;
  isOver?: boolean;
  children: ComponentChildren;
}

function Figure({ label, value, isOver = false, children }: FigureProps) {
  return (
    <div>
      <dt>{label}</dt>
      <dd class={isOver ? 'value over' : 'value'}>{value}</dd>
      <dd class="muted">{children}</dd>
    </div>
  );
}
