/** The rows that GET /usage answers. */
import type { UsagePart, UsageRow } from '../../channel/usage-report.ts';
import { TooMuchUsage } from '../too-much-usage.ts';

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

/** Adds up what the keys of a namespace used. */
export class UsageSums {
  readonly #namespace: string;
  readonly #grouping: Grouping & { readonly mostRows: number };
  readonly #sums = new Map<string, UsageObject>();

  constructor(namespace: string, grouping: Grouping & { readonly mostRows: number }) {
    this.#namespace = namespace;
    this.#grouping = grouping;
  }

  /** Throws TooMuchUsage where there come to be more than `mostRows`. */
  add({ hour, rows }: UsagePart): void {
    const start = hour - (hour % BUCKET_SECONDS[this.#grouping.bucket]);
    for (const row of rows) {
      const sum = this.#sum(start, row);
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

  /** Returns the sums in the order of their time, deployment and key. */
  rows(): UsageObject[] {
    return [...this.#sums.values()].toSorted(
      (a, b) => a.start - b.start || compareNames(a.deployment, b.deployment) || compareNames(a.key, b.key),
    );
  }

  #sum(start: number, row: UsageRow): UsageObject {
    const { byDeployment, byKey, mostRows } = this.#grouping;
    const named = row.namespace === this.#namespace ? row.deployment : `${row.namespace}/${row.deployment}`;
    const deployment = byDeployment ? named : null;
    const key = byKey ? row.key : null;
    const id = `${start} ${deployment} ${key}`;
    const known = this.#sums.get(id);
    if (known !== undefined) return known;
    if (this.#sums.size >= mostRows) throw new TooMuchUsage();
    const sum = unusedRow(start, deployment, key);
    this.#sums.set(id, sum);
    return sum;
  }
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

/** Returns the order of two names by their characters: negative, zero or positive; null is before all. */
export function compareNames(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
