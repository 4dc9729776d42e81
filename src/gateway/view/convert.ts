/** Pure: deployments as the gateway shows them, from the resource and the live figures. */
import { effectiveSpec, type EffectiveSpec } from '../../api/defaults.ts';
import type {
  InferenceDeployment,
  InferenceDeploymentSpecModel,
  InferenceDeploymentStatus,
  InferenceDeploymentStatusCost,
} from '../../api/generated/inference-deployment.ts';
import type { LiveDeployment, LiveSample } from '../../channel/messages.ts';
import { idOf } from '../reach.ts';
import type { Cost, Detail, Live, Replica, ReplicaCounts, Scaling, Summary } from './shapes.ts';

/** For whom. */
export interface Viewer {
  /** Of the key. */
  readonly namespace: string;
  /** Sees prices and nodes. */
  readonly isAdmin: boolean;
}

/** The operator has not written a status yet. */
const UNSEEN = {
  status: 'Unknown',
  reason: 'Pending',
  message: 'The operator has not seen the deployment yet. If this stays so, see whether infer-operator runs.',
} as const;

const STATES: readonly Replica['state'][] = ['Ready', 'Starting', 'Draining', 'Failed'];

/** Returns the deployment as it stands in a list; `live` is undefined where nothing is known. */
export function summaryOf(resource: InferenceDeployment, viewer: Viewer, live: LiveDeployment | undefined): Summary {
  const { metadata, status = {} } = resource;
  const spec = effectiveSpec(resource.spec);
  const ready = status.conditions?.find(({ type }) => type === 'Ready') ?? UNSEEN;
  return {
    object: 'deployment',
    id: idOf(resource, viewer.namespace),
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    model: modelOf(spec.model),
    hardware_profile: spec.hardwareProfile,
    created: secondsOf(metadata.creationTimestamp) ?? 0,
    ready: ready.status,
    reason: ready.reason,
    message: withoutNodes(ready.message, resource, viewer),
    replicas: countsOf(status.replicas, spec),
    scaling: scalingOf(status, spec),
    live: live === undefined ? null : liveOf(live.sample),
    cost: viewer.isAdmin ? costOf(status.cost) : null,
  };
}

/** Returns the message without names of nodes, such as that of one that does not answer, for who may not see them. */
function withoutNodes(message: string, { status }: InferenceDeployment, { isAdmin }: Viewer): string {
  const nodes = new Set(status?.replicas?.pods?.map(({ node }) => node));
  if (isAdmin || nodes.size === 0) return message;
  const words = message.split(' ');
  return words.map((word) => (nodes.has(word) ? 'NODE' : word)).join(' ');
}

function countsOf(counts: InferenceDeploymentStatus['replicas'], spec: EffectiveSpec): ReplicaCounts {
  const { desired = 0, ready = 0, starting = 0, draining = 0, failed = 0 } = counts ?? {};
  return { desired, ready, starting, draining, failed, min: spec.minReplicas, max: spec.maxReplicas };
}

function scalingOf({ conditions, scaling }: InferenceDeploymentStatus, spec: EffectiveSpec): Scaling {
  const limited = conditions?.find(({ type }) => type === 'ScalingLimited');
  return {
    reason: scaling?.reason ?? '',
    message: scaling?.message ?? '',
    limited_by: limited?.status === 'True' ? limited.reason : null,
    target_rps: spec.scaling.targetRps,
    target_latency_p95_ms: spec.scaling.targetLatencyP95Ms,
  };
}

/** Returns the deployment in full. */
export function detailOf(resource: InferenceDeployment, viewer: Viewer, live: LiveDeployment | undefined): Detail {
  const { spec, status = {} } = resource;
  const { recent = [], learned } = status.scaling ?? {};
  return {
    ...summaryOf(resource, viewer, live),
    aliases: spec.aliases ?? [],
    adapters: (spec.adapters ?? []).map(({ name }) => name),
    endpoint: status.endpoint?.baseUrl ?? null,
    suspended: spec.suspend ?? false,
    conditions: (status.conditions ?? []).map(({ type, status: state, reason, message, lastTransitionTime }) => ({
      type,
      status: state,
      reason,
      message: withoutNodes(message, resource, viewer),
      since: secondsOf(lastTransitionTime),
    })),
    replica_list: replicasOf(resource, viewer, live),
    recent: recent.map(({ time, from, to, reason, message }) => ({
      time: secondsOf(time) ?? 0,
      from,
      to,
      reason,
      message: message ?? '',
    })),
    learned: learned
      ? {
          requests_per_second: numberOf(learned.requestsPerSecond),
          load_seconds: learned.loadSeconds ?? null,
        }
      : null,
  };
}

/** Returns the figures of one moment. */
export function liveOf(sample: LiveSample): Live {
  return {
    time: sample.timeMs / 1000,
    requests_per_second: sample.requestsPerSecond,
    latency_p50_ms: sample.latencyP50Ms ?? null,
    latency_p95_ms: sample.latencyP95Ms ?? null,
    ttft_p95_ms: sample.firstByteP95Ms ?? null,
    in_flight: sample.inFlight,
    queued: sample.queued,
    kv_cache_usage: sample.kvCacheUsage ?? null,
    replicas_ready: sample.replicasReady,
    replicas_desired: sample.replicasDesired,
  };
}

function replicasOf({ status }: InferenceDeployment, viewer: Viewer, live: LiveDeployment | undefined): Replica[] {
  const loads = new Map((live?.replicas ?? []).map((replica) => [replica.podUid, replica]));
  return (status?.replicas?.pods ?? []).map(({ name, uid = '', readiness, reason, node, since }) => {
    const load = loads.get(uid);
    return {
      name,
      // A newer operator may know of another state.
      state: STATES.find((state) => state === readiness) ?? 'Starting',
      reason: reason ?? null,
      since: secondsOf(since),
      node: viewer.isAdmin ? (node ?? null) : null,
      in_flight: load?.inFlight ?? 0,
      waiting: load?.waiting ?? null,
      kv_cache_usage: load?.kvCacheUsage ?? null,
    };
  });
}

function modelOf({ id, claim }: InferenceDeploymentSpecModel): string {
  if (id !== undefined) return id;
  return `claim:${claim?.name ?? ''}${claim?.path === undefined ? '' : `/${claim.path}`}`;
}

function costOf(cost: InferenceDeploymentStatusCost | undefined): Cost | null {
  const { currency, perHour, perMillionTokens } = cost ?? {};
  const perDay = perHour === undefined ? undefined : timesDecimal(perHour, 24n);
  if (currency === undefined || perHour === undefined || perDay === undefined) return null;
  return { currency, per_hour: perHour, per_day: perDay, per_million_tokens: perMillionTokens ?? null };
}

/** Returns the product of a decimal number, such as "7.36", exactly and with as many decimals; undefined for other text. */
function timesDecimal(decimal: string, factor: bigint): string | undefined {
  const [, whole, fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(decimal) ?? [];
  if (whole === undefined) return undefined;
  const digits = String(BigInt(whole + fraction) * factor).padStart(fraction.length + 1, '0');
  const point = digits.length - fraction.length;
  return fraction === '' ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Unix seconds; null for none and for what is no time. */
function secondsOf(time: string | undefined): number | null {
  const milliseconds = Date.parse(time ?? '');
  return Number.isNaN(milliseconds) ? null : Math.floor(milliseconds / 1000);
}

function numberOf(decimal: string | undefined): number | null {
  const value = Number(decimal ?? Number.NaN);
  return Number.isFinite(value) ? value : null;
}
