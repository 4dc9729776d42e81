import { useMemo } from 'preact/hooks';
import type { Detail, Live } from '../../gateway/view/shapes.ts';
import { chartsOf } from '../data/charts.ts';
import { Chart } from './chart.tsx';

export function Charts({ detail, samples }: { detail: Detail; samples: readonly Live[] }) {
  const { replicas, scaling } = detail;
  // The same charts as long as the limits are the same.
  const limits = [replicas.min, replicas.max, scaling.target_rps, scaling.target_latency_p95_ms];
  const charts = useMemo(() => chartsOf(detail), limits);
  return (
    <section aria-labelledby="charts">
      <h2 id="charts">Last 15 minutes</h2>
      {samples.length === 0 ? (
        <p class="muted">No requests in the last 15 minutes. Send one with the chat below, and the charts begin.</p>
      ) : (
        <div class="charts">
          {charts.map((spec) => (
            <Chart key={spec.title} spec={spec} samples={samples} />
          ))}
        </div>
      )}
    </section>
  );
}
