/** What an engine says of its load in the head of an answer that is not streamed, for a request that asks for it. */
import type { EngineReading } from '../types.ts';

/** To be sent with a request. */
export const LOAD_REQUEST_HEADER = 'endpoint-load-metrics-format';
export const LOAD_RESPONSE_HEADER = 'endpoint-load-metrics';

const PREFIX = 'JSON ';
/** vLLM's is of about 100 characters. */
const MAX_LENGTH = 1_024;
/** A busy replica answers hundreds of requests a second, whose heads all say the same. */
const MIN_INTERVAL_MS = 250;
/** More than any engine can hold: it would be a lie. */
export const MOST_REQUESTS = 1_000_000;

/**
 * Returns what the value of the header makes of what was known: `known` itself where that is young enough or the value
 * says nothing that can be believed. `now` is a value of performance.now().
 */
export function readLoadHeader(
  value: string,
  known: EngineReading | undefined,
  now: number,
): EngineReading | undefined {
  if (known !== undefined && now - known.at < MIN_INTERVAL_MS) return known;
  const metrics = namedMetrics(value);
  const waiting = metrics?.['num_requests_waiting'];
  const kvCacheUsage = metrics?.['kv_cache_usage_perc'];
  if (!isAmount(waiting, MOST_REQUESTS) || !isAmount(kvCacheUsage, 1)) return known;
  // The header does not tell for what they wait.
  const deferred = known?.totals?.deferred ?? 0;
  return { at: now, waiting: Math.max(0, Math.round(waiting) - deferred), kvCacheUsage, totals: known?.totals };
}

function namedMetrics(value: string): Record<string, unknown> | undefined {
  if (value.length > MAX_LENGTH || !value.startsWith(PREFIX)) return undefined;
  try {
    const { named_metrics: named } = JSON.parse(value.slice(PREFIX.length)) as { named_metrics?: unknown };
    return typeof named === 'object' && named !== null ? (named as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isAmount(value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= most;
}
