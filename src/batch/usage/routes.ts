/** POST /internal/usage, by which gateways tell what was used, and GET /v1/usage. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { USAGE_PATH, usageReport } from '../../channel/usage-report.ts';
import { malformedRequest } from '../../gateway/errors.ts';
import { badRequest } from '../errors.ts';
import type { Places } from '../places.ts';
import type { Query } from '../query.ts';
import { withReplicaTime } from '../replica-time/join.ts';
import type { ReplicaTimeRecorder } from '../replica-time/recorder.ts';
import { BUCKET_SECONDS, unusedRow, usageRows, type UsageObject } from './rows.ts';
import { usageQuery, type UsageQuery } from './usage-query.ts';
import { TooMuchUsage, type UsageRecords } from './usage-records.ts';

/** Of the objects that one answer is made of: read into memory, they take several times as much. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_ROWS = 50_000;
/** What is older than that a gateway has told, unless it does not reach this process. */
const TOLD_SECONDS = 60;

export interface UsageRouteParts {
  readonly usage: UsageRecords;
  readonly replicaTime: Pick<ReplicaTimeRecorder, 'rows'>;
  readonly places: { readonly others: Places };
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
    places.others.bounded(async ({ query, tenant: { namespace } }) => {
      const asked = usageQuery(query as Query, now());
      const range = { fromMs: asked.start * 1000, toMs: asked.end * 1000, mostBytes: MOST_BYTES };
      const parts = await usage.read(namespace, range).catch((error: unknown) => {
        throw error instanceof TooMuchUsage ? tooMuch() : error;
      });
      const rows = usageRows(namespace, parts, asked);
      const data = await withTime(rows, namespace, asked, replicaTime);
      if (data.length > MOST_ROWS) throw tooMuch();
      const told = Math.floor(now() / 1000) - TOLD_SECONDS;
      return { object: 'list', data, complete_until: Math.min(asked.end, told) };
    }),
  );
}

/** Replicas serve all keys: their time stands in rows that are of a deployment alone. */
async function withTime(
  rows: UsageObject[],
  namespace: string,
  { byDeployment, byKey, bucket, start, end }: UsageQuery,
  replicaTime: UsageRouteParts['replicaTime'],
): Promise<UsageObject[]> {
  if (!byDeployment || byKey) return rows;
  const times = await replicaTime.rows(namespace, { start, end, bucketSeconds: BUCKET_SECONDS[bucket] });
  return withReplicaTime(rows, times, (at, deployment) => unusedRow(at, deployment, null));
}

function tooMuch() {
  const message = "There is more usage in this time than is answered at once. Move 'start' and 'end' closer together.";
  return badRequest('too_much_usage', message, 'start');
}
