/** Pure: rows of usage as a gateway answers them, added up by what the user asked for. */

export const DIMENSIONS = ['hour', 'day', 'deployment', 'key'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Of GET /usage. Times in Unix seconds. */
export interface UsageRow {
  readonly start: number;
  readonly deployment: string | null;
  readonly key: string | null;
  readonly requests: number;
  readonly failed_requests: number;
  /** What `ttft_ms_sum` is the sum of. */
  readonly answered_requests?: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly ttft_ms_sum: number;
  readonly latency_ms_sum: number;
  readonly replica_seconds?: number;
  readonly gpu_seconds?: number;
  /** A decimal number. */
  readonly cost?: string;
  readonly currency?: string;
}

/** Sums; what was not asked to be told apart is null. */
export interface UsageSum {
  readonly start: number | null;
  readonly deployment: string | null;
  readonly key: string | null;
  requests: number;
  failedRequests: number;
  answeredRequests: number;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  firstTokenMs: number;
  latencyMs: number;
  /** Undefined where no row knows. */
  replicaSeconds: number | undefined;
  gpuSeconds: number | undefined;
  /** By currency. */
  readonly cost: Map<string, number>;
}

/** Returns a sum for each combination of the dimensions, in the order in which they come first. */
export function sumBy(rows: readonly UsageRow[], dimensions: readonly Dimension[]): UsageSum[] {
  const inTime = dimensions.includes('day') || dimensions.includes('hour');
  const sums = new Map<string, UsageSum>();
  for (const row of rows) {
    const start = inTime ? row.start : null;
    const deployment = dimensions.includes('deployment') ? row.deployment : null;
    const key = dimensions.includes('key') ? row.key : null;
    const id = JSON.stringify([start, deployment, key]);
    const sum = sums.get(id) ?? emptySum(start, deployment, key);
    sums.set(id, sum);
    addRow(sum, row);
  }
  return [...sums.values()];
}

/** Returns the sum of all rows. */
export function total(rows: readonly UsageRow[]): UsageSum {
  const sum = emptySum(null, null, null);
  for (const row of rows) addRow(sum, row);
  return sum;
}

function emptySum(start: number | null, deployment: string | null, key: string | null): UsageSum {
  return {
    start,
    deployment,
    key,
    requests: 0,
    failedRequests: 0,
    answeredRequests: 0,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    firstTokenMs: 0,
    latencyMs: 0,
    replicaSeconds: undefined,
    gpuSeconds: undefined,
    cost: new Map(),
  };
}

function addRow(sum: UsageSum, row: UsageRow): void {
  sum.requests += row.requests;
  sum.failedRequests += row.failed_requests;
  sum.answeredRequests += row.answered_requests ?? row.requests;
  sum.promptTokens += row.prompt_tokens;
  sum.cachedTokens += row.cached_tokens;
  sum.completionTokens += row.completion_tokens;
  sum.firstTokenMs += row.ttft_ms_sum;
  sum.latencyMs += row.latency_ms_sum;
  if (row.replica_seconds !== undefined) sum.replicaSeconds = (sum.replicaSeconds ?? 0) + row.replica_seconds;
  if (row.gpu_seconds !== undefined) sum.gpuSeconds = (sum.gpuSeconds ?? 0) + row.gpu_seconds;
  if (row.cost === undefined) return;
  const currency = row.currency ?? '';
  sum.cost.set(currency, (sum.cost.get(currency) ?? 0) + Number(row.cost));
}

/** Returns a mean in milliseconds; undefined of nothing. */
export function mean(sumMs: number, count: number): number | undefined {
  return count === 0 ? undefined : Math.round(sumMs / count);
}

/** Returns amounts with their currencies, such as `3.20 USD`; empty where nothing is known. */
export function costText(cost: ReadonlyMap<string, number>): string {
  return [...cost].map(([currency, amount]) => `${amount.toFixed(2)} ${currency}`.trim()).join(' + ');
}

/** Returns the start of a bucket: a day, or a day and an hour, in UTC. */
export function bucketText(start: number, dimensions: readonly Dimension[]): string {
  const time = new Date(start * 1000).toISOString();
  return dimensions.includes('hour') ? `${time.slice(0, 13).replace('T', ' ')}:00Z` : time.slice(0, 10);
}
