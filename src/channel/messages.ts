/**
 * What the ends of the load channel say to each other: one JSON object a line. Each side takes the other's words as
 * hostile: a line that is too long, is no JSON or does not match ends the connection. Fields that are not known here are
 * dropped, so that a newer peer may say more.
 */
import { z } from 'zod';
import { BUCKETS, type Counts } from './histogram.ts';

/** Counted up when a peer of before could not understand one of after. */
export const PROTOCOL = 1;

/** A line takes the loop of who reads it for as long as it is: a report of many deployments comes in several. */
export const DEPLOYMENTS_PER_LINE = 250;
/** A hello is a token and little else; the largest report of so many deployments stays below the other. */
export const MAX_HELLO_BYTES = 16 * 1024;
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Namespaces whose deployments a gateway may ask for. */
export const MAX_WATCHED_NAMESPACES = 1_000;
/** Deployments of which a gateway may ask for every replica and the last 15 minutes, and how many are told in one line. */
export const MAX_WATCHED_DETAILS = 256;
export const DETAILS_PER_LINE = 8;
/** The leader keeps one sample for each 5 s of the last 15 minutes. */
export const MAX_HISTORY = 180;
/** Sealing keys that are handed around, and those that the leader takes of one gateway; see sealing-keys.ts. */
export const MAX_SEALING_KEYS = 32;
export const MAX_SEALING_KEYS_OF_ONE = 8;
/** A peer of before ends a connection on which it is told more in one line. */
export const SEALING_KEYS_PER_LINE = 8;

/** A gateway reports this often, also when there is nothing to report: silence must not look like peace. */
export const REPORT_INTERVAL_MS = 1_000;
/** The leader tells that it is there this often. */
export const HEARTBEAT_INTERVAL_MS = 2_000;
/** After this long without a line the other end is taken for dead. */
export const SILENCE_MS = 10_000;

const uid = z.string().min(1).max(64);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** A day and more is as long as anything can last here; a clock that jumped must not make infinity of it. */
const milliseconds = z.number().min(0).max(1e9);
/** Checked by hand: they are most of a report, and take five times as long as a schema of tuples. */
const counts = z.unknown().transform((value, context): Counts => {
  const counted: Counts = new Map();
  if (!Array.isArray(value) || value.length > BUCKETS) return refuse(context);
  for (const pair of value as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return refuse(context);
    const [bucket, amount] = pair as unknown[];
    if (!isWhole(bucket, BUCKETS - 1) || !isWhole(amount, Number.MAX_SAFE_INTEGER)) return refuse(context);
    counted.set(bucket, amount);
  }
  return counted;
});

function isWhole(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function refuse(context: z.RefinementCtx): never {
  context.issues.push({ code: 'custom', input: undefined, message: 'no counts' });
  return z.NEVER;
}

const helloSchema = z.object({
  type: z.literal('hello'),
  protocol: z.number().int(),
  token: z.string().min(1).max(8192),
  /** Made anew at each start of the process: counts of another instance begin at zero. */
  instance: uid,
});

/** What an engine said of itself. Ages are counted at the gateway, whose clock is its own. */
const engineSchema = z.object({
  /** Of the two that follow. */
  ageMs: milliseconds,
  /** Requests that wait for room in its batch or KV cache. */
  waiting: count,
  kvCacheUsage: z.number().min(0).max(1),
  /** Of its /metrics; absent before the first reading. */
  totals: z
    .object({
      ageMs: milliseconds,
      running: count,
      /** Since the engine started, whoever asks. */
      promptTokens: count,
      generatedTokens: count,
    })
    .optional(),
});

const replicaSchema = z.object({
  podUid: uid,
  inFlight: count,
  /** Those among them that are of batches; absent where none is, and from a gateway of before. */
  batchInFlight: count.optional(),
  /** Estimated tokens, of prompts and answers, of the requests in flight. */
  tokens: count,
  /** Age of the oldest request in flight; 0 without one. */
  oldestMs: milliseconds,
  /** The gateway has seen the mark that it is to leave and sends it nothing any more. */
  draining: z.boolean(),
  /** Absent where it has said nothing lately, and from a gateway of before. */
  engine: engineSchema.optional(),
});

const deploymentSchema = z.object({
  uid,
  /** Since the gateway started, as all that follow up to `held`. */
  arrivals: count,
  completed: count,
  /** Ended in an error that the client did not cause. */
  failed: count,
  /** The client went away, or asked for what the engine refuses. */
  cancelled: count,
  /** From arrival to the end of the answer, of completed requests. */
  latency: counts,
  /** From arrival to the first bytes of the answer. */
  firstByte: counts,
  /** Requests that wait for a replica now, and the age of the oldest. A demand to wake where no replica serves. */
  held: count,
  oldestHeldMs: milliseconds,
  /** Ages of all requests in flight or held. */
  ages: counts,
  /** Those with requests in flight, marked to leave, or whose engine was heard of lately. */
  replicas: z.array(replicaSchema).max(1_000),
});

/** What a gateway's readers look at: all of it, whenever it changed. */
const watchSchema = z.object({
  /** Counted up by the gateway with each change; answers carry it. */
  version: count,
  /** Whose deployments, and those that let their keys in, are shown in lists. */
  namespaces: z.array(z.string().min(1).max(63)).max(MAX_WATCHED_NAMESPACES),
  /** UIDs of deployments whose replicas are shown. */
  details: z.array(uid).max(MAX_WATCHED_DETAILS),
  /** Those among them whose last minutes are shown, too; absent from a gateway of before, which shows those of all. */
  histories: z.array(uid).max(MAX_WATCHED_DETAILS).optional(),
});

const sealingKeySchema = z.object({
  id: z.string().regex(/^[\w-]{8,16}$/),
  /** Unix milliseconds, by the clock of the gateway that made it. */
  madeAtMs: count,
  /** 32 bytes in base64url. */
  key: z.string().regex(/^[\w-]{43}$/),
});
/** Absent from a gateway of before, which is then told none. */
const sealingKeys = z.array(sealingKeySchema).max(MAX_SEALING_KEYS);

const fromGatewaySchema = z.object({
  type: z.literal('report'),
  /** More lines of the same report follow. */
  more: z.boolean(),
  /** Those that changed since the last report or have requests; the full state of each. */
  deployments: z.array(deploymentSchema).max(DEPLOYMENTS_PER_LINE),
  /** Absent where it has not changed on this connection, and from a gateway of before. */
  watch: watchSchema.optional(),
  sealingKeys: sealingKeys.optional(),
});

const rate = z.number().min(0).max(1e9);
const usage = z.number().min(0).max(1);

/** What all gateways saw together at one moment. */
const sampleSchema = z.object({
  /** Unix milliseconds, by the leader's clock. */
  timeMs: count,
  requestsPerSecond: rate,
  /** Absent where no request ended lately. */
  latencyP50Ms: milliseconds.optional(),
  latencyP95Ms: milliseconds.optional(),
  firstByteP95Ms: milliseconds.optional(),
  /** On replicas, and waiting for one. */
  inFlight: count,
  queued: count,
  /** The mean over the replicas that were heard of lately; absent where none was. */
  kvCacheUsage: usage.optional(),
  /** Of the status, as the leader knows it. */
  replicasReady: count,
  replicasDesired: count,
});

const liveReplicaSchema = z.object({
  podUid: uid,
  inFlight: count,
  /** Of the engine; absent where it was not heard of lately. */
  waiting: count.optional(),
  kvCacheUsage: usage.optional(),
});

const liveDeploymentSchema = z.object({
  uid,
  sample: sampleSchema,
  /** Of those whose details are watched. */
  replicas: z.array(liveReplicaSchema).max(1_000).optional(),
  /** The last 15 minutes, oldest first; once on a connection for each that is watched anew. */
  history: z.array(sampleSchema).max(MAX_HISTORY).optional(),
});

const liveSchema = z.object({
  /** Of the watch that this answers. */
  watch: count,
  /** More lines of the same answer follow. */
  more: z.boolean(),
  /** All that is watched and had requests in the last 15 minutes, or whose details are watched. */
  deployments: z.array(liveDeploymentSchema).max(DEPLOYMENTS_PER_LINE),
});

/** All that a leader says is a heartbeat: a gateway of before drops the rest, and would not stand another type. */
const fromLeaderSchema = z.object({
  type: z.literal('heartbeat'),
  live: liveSchema.optional(),
  sealingKeys: sealingKeys.optional(),
});

export type Hello = z.output<typeof helloSchema>;
export type Report = z.output<typeof fromGatewaySchema>;
export type DeploymentReport = z.output<typeof deploymentSchema>;
export type ReplicaReport = z.output<typeof replicaSchema>;
export type EngineReport = z.output<typeof engineSchema>;
export type Watch = z.output<typeof watchSchema>;
export type SealingKey = z.output<typeof sealingKeySchema>;
export type LiveSample = z.output<typeof sampleSchema>;
export type LiveDeployment = z.output<typeof liveDeploymentSchema>;
export type Heartbeat = z.output<typeof fromLeaderSchema>;

/** Returns the first words of a peer. Throws an Error that says what is wrong with them, without repeating any. */
export function parseHello(line: string): Hello {
  return parse(helloSchema, line, 'hello');
}

/** Returns a report of a gateway. Throws an Error that says what is wrong with it. */
export function parseReport(line: string): Report {
  return parse(fromGatewaySchema, line, 'report');
}

/** Returns what a leader says. Throws an Error that says what is wrong with it. */
export function parseHeartbeat(line: string): Heartbeat {
  return parse(fromLeaderSchema, line, 'heartbeat');
}

/** Returns what to send, with its newline: one line, or several where there are many sealing keys. */
export function encode(message: Hello | Report | Heartbeat): string {
  if (message.type === 'hello' || message.sealingKeys === undefined) return toLine(message);
  const keys = message.sealingKeys;
  if (keys.length <= SEALING_KEYS_PER_LINE) return toLine(message);
  const sealingKeys = keys.slice(0, SEALING_KEYS_PER_LINE);
  const first: Report | Heartbeat =
    message.type === 'report'
      ? { type: 'report', more: true, deployments: [], sealingKeys }
      : { type: 'heartbeat', sealingKeys };
  return toLine(first) + encode({ ...message, sealingKeys: keys.slice(SEALING_KEYS_PER_LINE) });
}

function toLine(message: Hello | Report | Heartbeat): string {
  return `${JSON.stringify(message, (_, value: unknown) => (value instanceof Map ? [...value] : value))}\n`;
}

function parse<T>(schema: z.ZodType<T>, line: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`the ${what} is not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Error(`the ${what} is not valid at ${issue?.path.join('.') || 'its top'}: ${issue?.code ?? 'unknown'}`);
}
