/** POST /internal/usage, by which gateways tell what was used, and GET /v1/usage. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { NO_USAGE_REPORT, USAGE_PATH, usageReport, type UsagePart } from '../../channel/usage-report.ts';
import { badRequest } from '../errors.ts';
import type { Places } from '../places.ts';
import type { Query } from '../query.ts';
import { withReplicaTime } from '../replica-time/join.ts';
import type { ReplicaTimeRecorder } from '../replica-time/recorder.ts';
import type { Tenant } from '../tenant.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { BUCKET_SECONDS, unusedRow, UsageSums, type UsageObject } from './rows.ts';
import type { Turns } from './turns.ts';
import { usageQuery, type UsageQuery } from './usage-query.ts';
import type { UsageRecords } from './usage-records.ts';

/** Of the objects of one day, which is what is held of them: read into memory, they take several times as much. */
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_ROWS = 50_000;
/** What is older than that a gateway has told, unless it does not reach this process. */
const TOLD_SECONDS = 60;

export interface UsageRouteParts {
  readonly usage: UsageRecords;
  readonly replicaTime: Pick<ReplicaTimeRecorder, 'rows'>;
  readonly places: { readonly usage: Places };
  /** For making an answer; it is sent without. */
  readonly turns: Turns;
  /** In Unix milliseconds. */
  readonly now: () => number;
}

/** Adds the routes. */
export function addUsageRoutes(app: FastifyInstance, parts: UsageRouteParts): void {
  const { usage, places, turns, now } = parts;
  app.post(USAGE_PATH, async ({ body }: FastifyRequest, reply: FastifyReply) => {
    const { data: report, error } = usageReport.safeParse(body);
    if (report === undefined) {
      throw badRequest(NO_USAGE_REPORT, `The report of usage has not its form: ${error.message}`);
    }
    await usage.add(report);
    return await reply.code(204).send();
  });
  app.get(
    '/v1/usage',
    places.usage.bounded(async ({ query, tenant }, { raw: response }) => {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const asked = usageQuery(query as Query, now());
      const data = await turns
        .during(tenant.namespace, async () => await dataFor(tenant, asked, parts, gone.signal))
        .catch(refused);
      const told = Math.floor(now() / 1000) - TOLD_SECONDS;
      return { object: 'list', data, complete_until: Math.min(asked.end, told) };
    }),
  );
}

async function dataFor(
  tenant: Tenant,
  asked: UsageQuery,
  { usage, replicaTime }: Pick<UsageRouteParts, 'usage' | 'replicaTime'>,
  signal: AbortSignal,
): Promise<UsageObject[]> {
  const limits = { mostBytes: MOST_BYTES, mostRows: MOST_ROWS, signal };
  const sums = new UsageSums(tenant.namespace, { ...asked, ...limits });
  const range = { ...limits, fromMs: asked.start * 1000, toMs: asked.end * 1000 };
  for await (const day of usage.read(tenant.namespace, range)) {
    for (const part of day) sums.add(tenant.seesOwnUsage ? ofKey(part, tenant.key) : part);
  }
  const rows = sums.rows();
  // Replicas serve all keys: their time is that of nobody alone, and stands in rows that are of a deployment alone.
  if (!asked.byDeployment || asked.byKey || tenant.seesOwnUsage) return rows;
  const times = await replicaTime.rows(tenant.namespace, {
    start: asked.start,
    end: asked.end,
    bucketSeconds: BUCKET_SECONDS[asked.bucket],
    ...limits,
  });
  const shown = tenant.isAdmin ? times : times.map((time) => ({ ...time, cost: {} }));
  const joined = withReplicaTime(rows, shown, (at, deployment) => unusedRow(at, deployment, null));
  if (joined.length > MOST_ROWS) throw new TooMuchUsage();
  return joined;
}

function ofKey(part: UsagePart, key: string): UsagePart {
  return { ...part, rows: part.rows.filter((row) => row.key === key) };
}

function refused(error: unknown): never {
  if (!(error instanceof TooMuchUsage)) throw error;
  const message = "There is more usage in this time than is answered at once. Move 'start' and 'end' closer together.";
  throw badRequest('too_much_usage', message, 'start');
}
