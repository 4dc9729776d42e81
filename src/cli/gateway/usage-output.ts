/** Usage as a table, as records of JSON and YAML, and as CSV. */
import type { Column } from '../output/table.ts';
import { bucketText, costText, mean, type Dimension, type UsageSum } from './usage-rows.ts';

const NUMBERS = new Intl.NumberFormat('en-US');

/**
 * Returns the columns of a table: those by which the sums are told apart, then what is known. `all` is the sum of all rows,
 * which stands below them and is called so in the first column.
 */
export function usageColumns(dimensions: readonly Dimension[], all: UsageSum): Column<UsageSum>[] {
  return [
    ...nameColumns(dimensions, all),
    count('REQUESTS', ({ requests }) => requests),
    count('FAILED', ({ failedRequests }) => failedRequests, 3),
    count('PROMPT', ({ promptTokens }) => promptTokens),
    count('CACHED', ({ cachedTokens }) => cachedTokens, 1),
    count('COMPLETION', ({ completionTokens }) => completionTokens),
    { ...count('TTFT(MS)', (sum) => mean(sum.firstTokenMs, sum.answeredRequests), 2), wide: true },
    { ...count('LATENCY(MS)', (sum) => mean(sum.latencyMs, sum.requests), 2), wide: true },
    ...(all.replicaSeconds === undefined ? [] : [hours('REPLICA-H', ({ replicaSeconds }) => replicaSeconds)]),
    ...(all.gpuSeconds === undefined ? [] : [hours('GPU-H', ({ gpuSeconds }) => gpuSeconds)]),
    ...(all.cost.size === 0
      ? []
      : [{ header: 'COST', align: 'right' as const, value: ({ cost }: UsageSum) => costText(cost) }]),
  ];
}

function nameColumns(dimensions: readonly Dimension[], all: UsageSum): Column<UsageSum>[] {
  const inTime = dimensions.find((one) => one === 'hour' || one === 'day');
  const columns: Column<UsageSum>[] = [];
  if (inTime !== undefined) {
    const value = ({ start }: UsageSum): string => (start === null ? '' : bucketText(start, dimensions));
    columns.push({ header: inTime.toUpperCase(), value });
  }
  if (dimensions.includes('deployment')) {
    columns.push({ header: 'DEPLOYMENT', value: ({ deployment }) => deployment ?? '', cutTo: 16 });
  }
  if (dimensions.includes('key')) columns.push({ header: 'KEY', value: ({ key }) => key ?? '', cutTo: 16 });
  return columns.map((column, at) =>
    at === 0 ? { ...column, value: (sum) => (sum === all ? 'total' : column.value(sum)) } : column,
  );
}

function count(header: string, value: (sum: UsageSum) => number | undefined, drop?: number): Column<UsageSum> {
  const text = (sum: UsageSum): string => {
    const number = value(sum);
    return number === undefined ? '' : NUMBERS.format(number);
  };
  return { header, align: 'right', value: text, ...(drop !== undefined && { drop }) };
}

function hours(header: string, value: (sum: UsageSum) => number | undefined): Column<UsageSum> {
  const text = (sum: UsageSum): string => {
    const seconds = value(sum);
    return seconds === undefined ? '' : hoursText(seconds);
  };
  return { header, align: 'right', value: text };
}

/** Returns seconds in hours, with one decimal. */
export function hoursText(seconds: number): string {
  return (seconds / 3600).toFixed(1);
}

type Fields = Record<string, string | number>;

/**
 * Returns a sum with the names that the API has; numbers as they are, cost as a decimal string with its currency. Amounts of
 * several currencies have no sum: they stand by currency in `costs`.
 */
export function usageRecord(
  sum: UsageSum,
  dimensions: readonly Dimension[],
): Record<string, string | number | Record<string, string>> {
  const [only, ...others] = amounts(sum);
  const fields = costlessFields(sum, dimensions);
  if (others.length === 0) return { ...fields, ...only };
  return { ...fields, costs: Object.fromEntries(amounts(sum).map(({ currency, cost }) => [currency, cost])) };
}

function costlessFields(sum: UsageSum, dimensions: readonly Dimension[]): Fields {
  return {
    ...nameFields(sum, dimensions),
    ...known({
      requests: sum.requests,
      failed_requests: sum.failedRequests,
      prompt_tokens: sum.promptTokens,
      cached_tokens: sum.cachedTokens,
      completion_tokens: sum.completionTokens,
      ttft_ms_mean: mean(sum.firstTokenMs, sum.answeredRequests),
      latency_ms_mean: mean(sum.latencyMs, sum.requests),
      replica_seconds: sum.replicaSeconds,
      gpu_seconds: sum.gpuSeconds,
    }),
  };
}

function nameFields(sum: UsageSum, dimensions: readonly Dimension[]): Fields {
  return known({
    start: sum.start === null ? undefined : new Date(sum.start * 1000).toISOString().replace('.000Z', 'Z'),
    deployment: dimensions.includes('deployment') ? (sum.deployment ?? '') : undefined,
    key: dimensions.includes('key') ? (sum.key ?? '') : undefined,
  });
}

function known(fields: Readonly<Record<string, string | number | undefined>>): Fields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** By currency. */
function amounts({ cost }: UsageSum): { cost: string; currency: string }[] {
  return [...cost].map(([currency, amount]) => ({ cost: amount.toFixed(6), currency }));
}

const CSV_COLUMNS = [
  'requests',
  'failed_requests',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'ttft_ms_mean',
  'latency_ms_mean',
  'replica_seconds',
  'gpu_seconds',
  'cost',
  'currency',
];

const NOTHING = { requests: 0, failed_requests: 0, prompt_tokens: 0, cached_tokens: 0, completion_tokens: 0 };

/**
 * Returns the lines of a CSV with a header; its columns depend on the dimensions alone, so that files can be joined. As in the
 * API, each further currency has a line with nothing but its cost: the sum over the lines is right.
 */
export function usageCsv(sums: readonly UsageSum[], dimensions: readonly Dimension[]): string[] {
  const inTime = dimensions.some((one) => one === 'hour' || one === 'day');
  const named = ['deployment', 'key'].filter((one) => dimensions.some((dimension) => dimension === one));
  const columns = [...(inTime ? ['start'] : []), ...named, ...CSV_COLUMNS];
  const records = sums.flatMap((sum): Fields[] => {
    const [first, ...others] = amounts(sum);
    const names = nameFields(sum, dimensions);
    return [
      { ...costlessFields(sum, dimensions), ...first },
      ...others.map((other) => ({ ...names, ...NOTHING, ...other })),
    ];
  });
  return [columns, ...records.map((record) => columns.map((column) => String(record[column] ?? '')))].map((fields) =>
    fields.map(csvField).join(','),
  );
}

function csvField(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
