/** The charts of a deployment: what each draws. */
import type { Detail, Live } from '../../gateway/view/shapes.ts';
import { formatMilliseconds, formatNumber, formatShare } from './format.ts';

export interface Line {
  readonly label: string;
  readonly pick: (sample: Live) => number | null;
  /** A limit is what the others are measured by. */
  readonly kind: 'first' | 'second' | 'third' | 'limit';
}

export interface ChartSpec {
  readonly title: string;
  readonly format: (value: number) => string;
  readonly lines: readonly Line[];
  /** The top of the scale where values are lower. */
  readonly atLeast: number;
  /** Counts change at once, not over time. */
  readonly isStepped: boolean;
}

/** Returns the charts in the order they are shown. */
export function chartsOf({ replicas, scaling }: Pick<Detail, 'replicas' | 'scaling'>): ChartSpec[] {
  const { target_rps: targetRps, target_latency_p95_ms: targetMs } = scaling;
  return [
    {
      title: 'Requests per second',
      format: formatNumber,
      lines: [
        { label: 'requests/s', kind: 'first', pick: (sample) => sample.requests_per_second },
        { label: 'target × ready replicas', kind: 'limit', pick: (sample) => targetRps * sample.replicas_ready },
      ],
      atLeast: 1,
      isStepped: false,
    },
    {
      title: 'Latency',
      format: formatMilliseconds,
      lines: [
        { label: 'p95', kind: 'first', pick: (sample) => sample.latency_p95_ms },
        { label: 'p50', kind: 'second', pick: (sample) => sample.latency_p50_ms },
        { label: 'first token p95', kind: 'third', pick: (sample) => sample.ttft_p95_ms },
        { label: 'target p95', kind: 'limit', pick: () => targetMs },
      ],
      atLeast: 100,
      isStepped: false,
    },
    {
      title: 'Replicas',
      format: formatNumber,
      lines: [
        { label: 'ready', kind: 'first', pick: (sample) => sample.replicas_ready },
        { label: 'desired', kind: 'second', pick: (sample) => sample.replicas_desired },
        { label: 'minimum', kind: 'limit', pick: () => replicas.min },
        { label: 'maximum', kind: 'limit', pick: () => replicas.max },
      ],
      atLeast: 2,
      isStepped: true,
    },
    {
      title: 'Requests under way',
      format: formatNumber,
      lines: [
        { label: 'in flight', kind: 'first', pick: (sample) => sample.in_flight },
        { label: 'queued', kind: 'second', pick: (sample) => sample.queued },
      ],
      atLeast: 5,
      isStepped: true,
    },
    {
      title: 'KV cache in use',
      format: formatShare,
      lines: [{ label: 'mean of replicas', kind: 'first', pick: (sample) => sample.kv_cache_usage }],
      atLeast: 1,
      isStepped: false,
    },
  ];
}
