/** What the plumbing measures, as prom-client metrics of one registry. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** One finished request; `code` is the HTTP status, or `error` where none came. */
export interface RequestSample {
  verb: string;
  resource: string;
  code: string;
  seconds: number;
}

/** The metrics of client, informers, queues and election; names begin with `prefix`. */
export class KubeMetrics {
  readonly requests: Counter<'verb' | 'resource' | 'code'>;
  readonly requestSeconds: Histogram<'verb' | 'resource'>;
  readonly watchRestarts: Counter<'resource' | 'reason'>;
  readonly relists: Counter<'resource' | 'reason'>;
  readonly watchMissed: Counter<'resource'>;
  readonly staleLists: Counter<'resource'>;
  readonly listenerErrors: Counter<'resource'>;
  readonly objectErrors: Counter<'resource'>;
  readonly cachedObjects: Gauge<'resource'>;
  readonly queueDepth: Gauge<'queue'>;
  readonly queueSeconds: Histogram<'queue'>;
  readonly workSeconds: Histogram<'queue'>;
  readonly queueRetries: Counter<'queue'>;
  readonly leader: Gauge;
  readonly eventsDropped: Counter;

  constructor(options: { registry: Registry; prefix?: string }) {
    const registers = [options.registry];
    const prefix = options.prefix ?? '';
    const named = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({
      name: `${prefix}${name}`,
      help,
      registers,
    });
    this.requests = new Counter({
      ...named('kube_requests_total', 'Requests to the Kubernetes API server, by HTTP status or `error`.'),
      labelNames: ['verb', 'resource', 'code'],
    });
    this.requestSeconds = new Histogram({
      ...named('kube_request_duration_seconds', 'Time to the answer of the Kubernetes API server, watches excluded.'),
      labelNames: ['verb', 'resource'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30],
    });
    this.watchRestarts = new Counter({
      ...named('kube_watch_restarts_total', 'Watches that ended and were opened again, by reason.'),
      labelNames: ['resource', 'reason'],
    });
    this.relists = new Counter({
      ...named('kube_relists_total', 'Full lists of a watched kind, by reason.'),
      labelNames: ['resource', 'reason'],
    });
    this.watchMissed = new Counter({
      ...named('kube_watch_missed_total', 'Changes that a periodic list found and the watch had not delivered.'),
      labelNames: ['resource'],
    });
    this.staleLists = new Counter({
      ...named('kube_stale_lists_total', 'Lists that were not believed because they were older than what was seen.'),
      labelNames: ['resource'],
    });
    this.listenerErrors = new Counter({
      ...named('kube_listener_errors_total', 'Exceptions thrown by listeners of an informer.'),
      labelNames: ['resource'],
    });
    this.objectErrors = new Counter({
      ...named('kube_object_errors_total', 'States of objects that an informer could not decode or index.'),
      labelNames: ['resource'],
    });
    this.cachedObjects = new Gauge({
      ...named('kube_cached_objects', 'Objects in the cache of an informer.'),
      labelNames: ['resource'],
    });
    this.queueDepth = new Gauge({
      ...named('workqueue_depth', 'Keys waiting to be worked on.'),
      labelNames: ['queue'],
    });
    this.queueSeconds = new Histogram({
      ...named('workqueue_queue_duration_seconds', 'Time a key waited in the queue.'),
      labelNames: ['queue'],
      buckets: [0.001, 0.01, 0.1, 1, 10, 60],
    });
    this.workSeconds = new Histogram({
      ...named('workqueue_work_duration_seconds', 'Time one pass over a key took.'),
      labelNames: ['queue'],
      buckets: [0.001, 0.01, 0.1, 1, 10, 60],
    });
    this.queueRetries = new Counter({
      ...named('workqueue_retries_total', 'Passes that failed and will be retried.'),
      labelNames: ['queue'],
    });
    this.leader = new Gauge(named('leader', '1 while this process leads, else 0.'));
    this.eventsDropped = new Counter(
      named('kube_events_dropped_total', 'Events not sent because of a bound or an error.'),
    );
  }

  /** To be given to the client as `onRequest`. */
  readonly observeRequest = (sample: RequestSample): void => {
    this.requests.inc({ verb: sample.verb, resource: sample.resource, code: sample.code });
    if (sample.verb !== 'watch') {
      this.requestSeconds.observe({ verb: sample.verb, resource: sample.resource }, sample.seconds);
    }
  };
}
