/** How an informer is set up. */
import type { BackoffLimits } from './backoff.ts';
import type { KubeClient } from './client.ts';
import type { KubeMetrics } from './metrics.ts';
import type { KubeObject, Logger, Resource } from './types.ts';

export interface InformerOptions<T extends KubeObject> {
  client: Pick<KubeClient, 'list' | 'watch'>;
  resource: Resource<T>;
  /** Absent watches all namespaces. */
  namespace?: string;
  labelSelector?: string;
  /** Returns what the cache keeps of an object; drop what nobody reads. Where it throws, the state before is kept. */
  decode: (raw: T) => T;
  /** For each index the keys under which an object is found. Where that throws, it is not found by the index. */
  indexes?: Record<string, (object: T) => string[]>;
  /** Time between two full lists that look for what the watch missed; default 10 minutes. */
  relistIntervalMs?: number;
  /** How long a watch may be silent; default 150 s, since servers send a bookmark about every minute. */
  idleTimeoutMs?: number;
  /** Objects of one page of a list; default 500. */
  pageSize?: number;
  /** How long the watch may lag behind a periodic list before the difference counts as missed; default 2 s. */
  missedAfterMs?: number;
  /** For how long lists must be older than what was seen until they are believed; default 60 s. */
  staleListPatienceMs?: number;
  backoff?: BackoffLimits;
  metrics?: KubeMetrics;
  logger: Logger;
}
