/** What the gateway measures. Labels are bounded: routes and codes are few, deployments are those that exist. */
import { Counter, Gauge, Histogram, type Metric, type Registry } from 'prom-client';
import type { Deployment } from './types.ts';

/** Of clients, or of batches. */
export type RequestClass = 'online' | 'batch';

export interface FinishedRequest {
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  /** Undefined where none was found. */
  readonly deployment: Deployment | undefined;
}

type DeploymentLabels = 'namespace' | 'deployment';

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];

/** Returns the labels of a deployment. One that was deleted has no series: its requests may still end, and would make them anew. */
export function labelsOf(deployment: Deployment | undefined): { namespace: string; deployment: string } {
  if (deployment === undefined || deployment.removed) return { namespace: '', deployment: '' };
  return { namespace: deployment.namespace, deployment: deployment.name };
}

/** Removes the series that have all of these labels. */
export async function removeSeries(
  metrics: readonly Metric<never>[],
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  for (const metric of metrics) {
    for (const { labels: found } of (await metric.get()).values) {
      const series = found as Record<string, string | number>;
      if (Object.entries(labels).some(([name, value]) => series[name] !== value)) continue;
      // Of a histogram each bucket comes with its bound, which is no label of the series.
      const { le: _bound, ...own } = series;
      metric.remove(own as never);
    }
  }
}

export class GatewayMetrics {
  readonly #requests: Counter<DeploymentLabels | 'route' | 'code' | 'class'>;
  readonly #seconds: Histogram<DeploymentLabels | 'route' | 'class'>;
  readonly #firstByte: Histogram<DeploymentLabels | 'stream'>;
  readonly #inFlight: Gauge;
  readonly #held: Gauge<DeploymentLabels | 'class'>;
  readonly #retries: Counter<DeploymentLabels | 'reason'>;
  readonly #broken: Counter<DeploymentLabels | 'reason'>;
  readonly #ejections: Counter<'reason'>;
  readonly #unread: Counter<DeploymentLabels>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'infer_gateway_requests_total',
      help: 'Answered requests by HTTP status; 499 where the client left before there was one.',
      labelNames: ['route', 'code', 'class', 'namespace', 'deployment'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'infer_gateway_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labelNames: ['route', 'class', 'namespace', 'deployment'],
      buckets: SECONDS,
      registers,
    });
    this.#firstByte = new Histogram({
      name: 'infer_gateway_replica_first_byte_seconds',
      help: 'Time a replica took to the first byte of its answer to a client.',
      labelNames: ['stream', 'namespace', 'deployment'],
      buckets: SECONDS,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'infer_gateway_requests_in_flight',
      help: 'Requests being answered.',
      registers,
    });
    this.#held = new Gauge({
      name: 'infer_gateway_requests_held',
      help: 'Requests that wait for a replica.',
      labelNames: ['class', 'namespace', 'deployment'],
      registers,
    });
    this.#retries = new Counter({
      name: 'infer_gateway_retries_total',
      help: 'Attempts after a failed one, by why that failed.',
      labelNames: ['reason', 'namespace', 'deployment'],
      registers,
    });
    this.#broken = new Counter({
      name: 'infer_gateway_broken_answers_total',
      help: 'Answers that ended in an error after their first byte.',
      labelNames: ['reason', 'namespace', 'deployment'],
      registers,
    });
    this.#ejections = new Counter({
      name: 'infer_gateway_replica_ejections_total',
      help: 'Times a replica was left out because it failed.',
      labelNames: ['reason'],
      registers,
    });
    this.#unread = new Counter({
      name: 'infer_gateway_engine_readings_failed_total',
      help: "Readings of a replica's /metrics that failed: the scaler then knows less of it.",
      labelNames: ['namespace', 'deployment'],
      registers,
    });
  }

  /** Counts a request that begins; returns what to call with its end. */
  begin(requestClass: RequestClass): (finished: FinishedRequest) => void {
    this.#inFlight.inc();
    return ({ route, status, seconds, deployment }) => {
      this.#inFlight.dec();
      const labels = labelsOf(deployment);
      this.#requests.inc({ route, code: String(status), class: requestClass, ...labels });
      this.#seconds.observe({ route, class: requestClass, ...labels }, seconds);
    };
  }

  /** Removes the series of a deployment that was deleted. */
  async forget({ namespace, name }: Deployment): Promise<void> {
    const metrics = [
      this.#requests,
      this.#seconds,
      this.#firstByte,
      this.#held,
      this.#retries,
      this.#broken,
      this.#unread,
    ];
    await removeSeries(metrics, { namespace, deployment: name });
  }

  firstByte(deployment: Deployment, stream: boolean, seconds: number): void {
    this.#firstByte.observe({ stream: String(stream), ...labelsOf(deployment) }, seconds);
  }

  /** Counts a request that waits; returns what ends that. */
  hold(deployment: Deployment, batch: boolean): () => void {
    const labels = { class: batch ? 'batch' : 'online', ...labelsOf(deployment) };
    this.#held.inc(labels);
    return () => {
      if (!deployment.removed) this.#held.dec(labels);
    };
  }

  retried(deployment: Deployment, reason: string): void {
    this.#retries.inc({ reason, ...labelsOf(deployment) });
  }

  broken(deployment: Deployment, reason: string): void {
    this.#broken.inc({ reason, ...labelsOf(deployment) });
  }

  ejected(reason: string): void {
    this.#ejections.inc({ reason });
  }

  engineUnread(deployment: Deployment): void {
    this.#unread.inc(labelsOf(deployment));
  }
}
