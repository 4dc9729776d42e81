/** What the API of files and batches measures. Labels are bounded: routes and codes are few. */
import { Counter, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600];

export class BatchApiMetrics {
  readonly #requests: Counter<'method' | 'route' | 'code'>;
  readonly #seconds: Histogram<'method' | 'route'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'infer_batch_api_requests_total',
      help: 'Answered requests by HTTP status; 499 where the client left before there was one.',
      labelNames: ['method', 'route', 'code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'infer_batch_api_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labelNames: ['method', 'route'],
      buckets: SECONDS,
      registers,
    });
  }

  /** Counts an answered request. `route` is the pattern of its path. */
  finished({
    method,
    route,
    status,
    seconds,
  }: {
    method: string;
    route: string;
    status: number;
    seconds: number;
  }): void {
    this.#requests.inc({ method, route, code: String(status) });
    this.#seconds.observe({ method, route }, seconds);
  }
}
