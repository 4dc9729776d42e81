/** `infer usage`: tokens and requests of the key's namespace, and the time and cost of its replicas. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { printStructured, printTable } from '../output/objects.ts';
import { withGateway, type GatewayOptions } from './access.ts';
import type { GatewayClient } from './client.ts';
import { spanSeconds } from './durations.ts';
import { ApiFailure } from './failures.ts';
import { printReplicaTime, readReplicaTime, type ReplicaTime } from './replica-time.ts';
import { usageColumns, usageCsv, usageRecord } from './usage-output.ts';
import { DIMENSIONS, sumBy, total, type Dimension, type UsageRow, type UsageSum } from './usage-rows.ts';

export interface UsageOptions extends GatewayOptions {
  since: string;
  by: string[];
  csv?: boolean;
}

interface Answer {
  readonly data: readonly UsageRow[];
  /** Unix seconds; undefined where nobody keeps usage here. */
  readonly complete_until: number | undefined;
}

const MOST_TRIES = 4;
const MOST_WAIT_SECONDS = 30;

/** Prints usage since a time until now. */
export async function usage(context: Context, options: UsageOptions): Promise<void> {
  const dimensions = options.by.map((name) => dimensionOf(context, name));
  const end = Math.ceil(context.now().getTime() / 1000);
  const start = startOf(context, options.since, end);
  await withGateway(context, options, async (client) => {
    const answer = await readUsage(context, client, { start, end, dimensions });
    const sums = sumBy(answer.data, dimensions);
    const knowsTime = answer.data.some(({ replica_seconds }) => replica_seconds !== undefined);
    const replicas = knowsTime || options.csv === true ? [] : await readReplicaTime(context);
    if (options.csv === true) for (const line of usageCsv(sums, dimensions)) context.print(line);
    else if (!(await printStructured(context, structured(answer, sums, { dimensions, replicas })))) {
      if (sums.length > 0) {
        const all = total(answer.data);
        printTable(context, usageColumns(dimensions, all), [...sums, all]);
        if (replicas.length > 0) context.print('');
      }
      printReplicaTime(context, replicas);
    }
    tell(context, answer, sums.length);
  });
}

function structured(
  { data, complete_until: until }: Answer,
  sums: readonly UsageSum[],
  { dimensions, replicas }: { dimensions: readonly Dimension[]; replicas: readonly ReplicaTime[] },
): object {
  return {
    rows: sums.map((sum) => usageRecord(sum, dimensions)),
    total: usageRecord(total(data), []),
    ...(until !== undefined && { complete_until: timeOf(until) }),
    ...(replicas.length > 0 && { replica_time: replicas }),
  };
}

function tell(context: Context, { complete_until: until }: Answer, rows: number): void {
  if (until === undefined)
    return context.note('Tokens and requests are not kept in this installation (see docs/batch.md).');
  if (rows === 0) context.note('Nothing was used in this time.');
  context.note(`Complete until ${timeOf(until)}; times are in UTC.`);
}

async function readUsage(
  context: Context,
  client: GatewayClient,
  { start, end, dimensions }: { start: number; end: number; dimensions: readonly Dimension[] },
): Promise<Answer> {
  const query = {
    start: String(start),
    end: String(end),
    bucket: dimensions.includes('hour') ? 'hour' : 'day',
    // Replica time is of deployments: by key alone there would be none.
    group_by: dimensions.includes('key') ? 'deployment,key' : 'deployment',
  };
  try {
    return await askPatiently(context, () => client.json<Answer>('/usage', { query, signal: context.signal }));
  } catch (error) {
    const notKept = error instanceof ApiFailure && (error.code === 'usage_not_kept' || error.code === 'unknown_url');
    if (!notKept) throw error;
    return { data: [], complete_until: undefined };
  }
}

/** A gateway answers few such questions at a time, and refuses others for seconds. Throws as `ask`. */
async function askPatiently<T>(context: Context, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const seconds = retrySeconds(error);
      if (seconds === undefined || tries === MOST_TRIES) throw error;
      context.note(`${(error as Error).message} infer does so in ${seconds} s; Ctrl-C ends it.`);
      await pause(seconds * 1000, undefined, { signal: context.signal });
    }
  }
}

/** Returns after how long to ask again; undefined where that is not said to help, or only after longer than anybody waits. */
function retrySeconds(error: unknown): number | undefined {
  if (!(error instanceof ApiFailure) || (error.status !== 429 && error.status !== 503)) return undefined;
  const seconds = error.retryAfter;
  return seconds !== undefined && seconds <= MOST_WAIT_SECONDS ? seconds : undefined;
}

function dimensionOf(context: Context, name: string): Dimension {
  const found = DIMENSIONS.find((dimension) => dimension === name);
  return (
    found ?? context.fail(`--by ${name} is none of ${DIMENSIONS.join(', ')}.`, 'See: infer usage --help', EXIT.wrongUse)
  );
}

/** Whole hours are kept. */
function startOf(context: Context, since: string, end: number): number {
  const seconds = spanSeconds(since);
  const start = seconds === undefined ? Date.parse(since) / 1000 : end - seconds;
  if (start >= 0 && start < end) return Math.floor(start / 3600) * 3600;
  return context.fail(
    `--since ${since} is no time that has passed.`,
    'Write how long ago (30d, 12h) or a day (2027-01-31).',
    EXIT.wrongUse,
  );
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
