/** POST /internal/usage, by which gateways tell what was used, and GET /v1/usage. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { USAGE_PATH, usageReport, type UsagePart } from '../../channel/usage-report.ts';
import { malformedRequest } from '../../gateway/errors.ts';
import { badRequest } from '../errors.ts';
import type { Places } from '../places.ts';
import type { Query } from '../query.ts';
import { withReplicaTime } from '../replica-time/join.ts';
import type { ReplicaTimeRecorder } from '../replica-time/recorder.ts';
import type { Tenant } from '../tenant.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { BUCKET_SECONDS, unusedRow, usageRows, type UsageObject } from './rows.ts';
import { usageQuery, type UsageQuery } from './usage-query.ts';
import type { UsageRecords } from './usage-records.ts';

/** Of the objects of requests that one answer is made of: read into memory, they take several times as much. */
const MOST_BYTES = 8 * 1024 * 1024;
/** Of those of the time of replicas, which are read day by day. */
const MOST_TIME_BYTES = 32 * 1024 * 1024;
const MOST_ROWS = 50_000;
/** What is older than that a gateway has told, unless it does not reach this process. */
const TOLD_SECONDS = 60;

export interface UsageRouteParts {
  readonly usage: UsageRecords;
  readonly replicaTime: Pick<ReplicaTimeRecorder, 'rows'>;
  readonly places: { readonly usage: Places };
  /** In Unix milliseconds. */
  readonly now: () => number;
}

/** Adds the routes. */
export function addUsageRoutes(app: FastifyInstance, { usage, replicaTime, places, now }: UsageRouteParts): void {
  app.post(USAGE_PATH, async ({ body }: FastifyRequest, reply: FastifyReply) => {
    const { data: report, error } = usageReport.safeParse(body);
    if (report === undefined) throw malformedRequest(`The report of usage has not its form: ${error.message}`);
    await usage.add(report);
    return await reply.code(204).send();
  });
  app.get(
    '/v1/usage',
    places.usage.bounded(async ({ query, tenant }) => {
      const asked = usageQuery(query as Query, now());
      const data = await dataFor(tenant, asked, { usage, replicaTime }).catch((error: unknown) => {
        throw error instanceof TooMuchUsage ? tooMuch() : error;
      });
      if (data.length > MOST_ROWS) throw tooMuch();
      const told = Math.floor(now() / 1000) - TOLD_SECONDS;
      return { object: 'list', data, complete_until: Math.min(asked.end, told) };
    }),
  );
}

async function dataFor(
  tenant: Tenant,
  asked: UsageQuery,
  { usage, replicaTime }: Pick<UsageRouteParts, 'usage' | 'replicaTime'>,
): Promise<UsageObject[]> {
  const range = { fromMs: asked.start * 1000, toMs: asked.end * 1000, mostBytes: MOST_BYTES };
  const parts = await usage.read(tenant.namespace, range);
  const seen = tenant.seesOwnUsage ? parts.map((part) => ofKey(part, tenant.key)) : parts;
  const rows = usageRows(tenant.namespace, seen, asked);
  // Replicas serve all keys: their time is that of nobody alone, and stands in rows that are of a deployment alone.
  if (!asked.byDeployment || asked.byKey || tenant.seesOwnUsage) return rows;
  const times = await replicaTime.rows(tenant.namespace, {
    start: asked.start,
    end: asked.end,
    bucketSeconds: BUCKET_SECONDS[asked.bucket],
    mostRows: MOST_ROWS,
    mostBytes: MOST_TIME_BYTES,
  });
  const shown = tenant.isAdmin ? times : times.map((time) => ({ ...time, cost: {} }));
  return withReplicaTime(rows, shown, (at, deployment) => unusedRow(at, deployment, null));
}

function ofKey(part: UsagePart, key: string): UsagePart {
  return { ...part, rows: part.rows.filter((row) => row.key === key) };
}

function tooMuch() {
  const message = "There is more usage in this time than is answered at once. Move 'start' and 'end' closer together.";
  return badRequest('too_much_usage', message, 'start');
}
