/** The rows that GET /usage answers. */
import type { UsagePart } from '../../channel/usage-report.ts';

export type Bucket = 'hour' | 'day';

export interface Grouping {
  readonly bucket: Bucket;
  readonly byDeployment: boolean;
  readonly byKey: boolean;
}

export interface UsageObject {
  /** Unix seconds at which the bucket begins. */
  start: number;
  /** `NAME`, or `NAMESPACE/NAME` where it is another namespace's than the key's. */
  deployment: string | null;
  key: string | null;
  requests: number;
  failed_requests: number;
  /** Those of which the first byte of an answer came: what `ttft_ms_sum` is the sum of. */
  answered_requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  ttft_ms_sum: number;
  latency_ms_sum: number;
}

/** The length of a bucket. */
export const BUCKET_SECONDS: Record<Bucket, number> = { hour: 3600, day: 86_400 };

/** Returns the sums of what the keys of `namespace` used, in the order of their time, deployment and key. */
export function usageRows(namespace: string, parts: Iterable<UsagePart>, grouping: Grouping): UsageObject[] {
  const sums = new Map<string, UsageObject>();
  for (const { hour, rows } of parts) {
    const start = hour - (hour % BUCKET_SECONDS[grouping.bucket]);
    for (const row of rows) {
      const named = row.namespace === namespace ? row.deployment : `${row.namespace}/${row.deployment}`;
      const deployment = grouping.byDeployment ? named : null;
      const key = grouping.byKey ? row.key : null;
      const id = `${start} ${deployment} ${key}`;
      const sum = sums.get(id) ?? unusedRow(start, deployment, key);
      sums.set(id, sum);
      sum.requests += row.requests;
      sum.failed_requests += row.failedRequests;
      sum.answered_requests += row.answeredRequests;
      sum.prompt_tokens += row.promptTokens;
      sum.cached_tokens += row.cachedTokens;
      sum.completion_tokens += row.completionTokens;
      sum.ttft_ms_sum += row.firstTokenMs;
      sum.latency_ms_sum += row.latencyMs;
    }
  }
  return [...sums.values()].toSorted(
    (a, b) => a.start - b.start || compare(a.deployment, b.deployment) || compare(a.key, b.key),
  );
}

/** Returns a row in which nothing was used. */
export function unusedRow(start: number, deployment: string | null, key: string | null): UsageObject {
  return {
    start,
    deployment,
    key,
    requests: 0,
    failed_requests: 0,
    answered_requests: 0,
    prompt_tokens: 0,
    cached_tokens: 0,
    completion_tokens: 0,
    ttft_ms_sum: 0,
    latency_ms_sum: 0,
  };
}

function compare(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
