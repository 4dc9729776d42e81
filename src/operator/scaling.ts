/** How the operator acts on the scaler's decisions: which one a pass acts on, and the next step towards it. */
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { Contention } from '../autoscaler/contention.ts';
import type { Decision } from '../autoscaler/decision.ts';
import { scale } from '../autoscaler/scale.ts';
import { stepDown } from '../autoscaler/scale-down.ts';
import { Scaler } from '../autoscaler/scaler.ts';
import { liveCount } from '../autoscaler/live-count.ts';
import type { Standing } from '../autoscaler/standing.ts';
import type { KubeClient } from '../kube/client.ts';
import { parseKey, type Logger, type ObjectMeta } from '../kube/types.ts';
import { concernedBy } from './batch-need.ts';
import type { Caches } from './caches.ts';
import type { Observation } from './gather.ts';
import type { Gateways, GatewayWord } from './gateways.ts';
import { belongsTo } from './refusals.ts';
import { ScalingSight } from './scaling-sight.ts';

/** For one term as the leader. */
export interface Scaling {
  scaler: Scaler;
  contention: Contention;
  /** When the term began. */
  since: Date;
  /** Returns how many tokens per second the deployment's engines make; undefined where that is not known, or none. */
  tokensPerSecond(uid: string): number | undefined;
  /** A deployment was deleted. */
  forget(uid: string): void;
  /** A batch came, went or has become another than `previous`. */
  batchChanged(batch: InferenceBatch, previous?: InferenceBatch): void;
}

/** Returns the scaler over `caches` and what the gateways say; it is to be started. */
export function createScaling(options: {
  caches: Caches;
  gateways: Gateways;
  /** A pass over the deployment is due. */
  onChange: (deployment: ObjectMeta) => void;
  onDecision: (decision: Decision) => void;
  logger: Logger;
}): Scaling {
  const { caches, gateways, onChange, onDecision, logger } = options;
  const since = new Date();
  const sight = new ScalingSight(caches, gateways, since);
  const contention = new Contention();
  const scaler = new Scaler({
    active: () => gateways.active(),
    observe: (uid) => sight.observe(uid),
    hasWork: (uid) => sight.hasWork(uid),
    staleMs: () => gateways.staleMs(),
    all: () => caches.inferenceDeployments.list().map(({ metadata }) => metadata.uid ?? ''),
    onChange: ({ metadata }) => onChange(metadata),
    onDecision,
    // A clock that is set must not jump here; what is kept in status outlives this process and its clock.
    now: () => performance.timeOrigin + performance.now(),
    logger,
  });
  const forget = (uid: string): void => {
    for (const memory of [sight, contention, scaler]) memory.forget(uid);
  };
  const batchChanged = (batch: InferenceBatch, previous?: InferenceBatch): void => {
    for (const key of concernedBy(batch, previous)) {
      const uid = caches.inferenceDeployments.get(parseKey(key))?.metadata.uid;
      if (uid !== undefined) scaler.batchesChanged(uid);
    }
  };
  const tokensPerSecond = (uid: string): number | undefined => sight.tokensPerSecond(uid);
  return { scaler, contention, since, tokensPerSecond, forget, batchChanged };
}

export interface ScalingContext {
  caches: Caches;
  client: KubeClient;
  gateways: GatewayWord;
  scaling: Pick<Scaling, 'scaler' | 'contention' | 'since'>;
  now: () => Date;
}

/** Names that fit into the message of a condition, of 1,024 characters: a name may have 128. */
const MOST_MANAGERS = 3;

/** Returns the decision to act on: the scaler's, or the live count where others keep writing it. */
export function decisionOn(
  { children, pods, resource }: Observation,
  { scaling }: Pick<ScalingContext, 'scaling'>,
): Standing {
  const deployment = children.deployment && belongsTo(children.deployment, resource) ? children.deployment : undefined;
  const live = liveCount(deployment, pods);
  const standing = scaling.scaler.standing(resource, live);
  const managers = scaling.contention.leftTo(resource, deployment, performance.now());
  if (deployment === undefined || managers === undefined) return standing;
  const others = managers.length - MOST_MANAGERS;
  const named = managers.slice(0, MOST_MANAGERS).join(', ') + (others > 0 ? ` and ${others} more` : '');
  return {
    replicas: live.replicas,
    reason: 'ReplicasContested',
    message: `The number of replicas of Deployment ${deployment.metadata.name} is also written by ${named}. Remove what does so (an autoscaler, a script), then change the spec, restartedAt for example; until then Infer leaves it alone.`,
  };
}

/**
 * Takes the next step of `deployment` to what was decided; what is written stands in `observation` afterwards. Returns
 * after how many milliseconds a scale-down goes on whatever the gateways say; undefined where none waits.
 */
export async function scaleTo(
  { replicas: wanted, reason }: Standing,
  deployment: Deployment,
  observation: Observation,
  { caches, client, gateways, now, scaling }: ScalingContext,
): Promise<number | undefined> {
  const { metadata, spec } = observation.resource;
  const { uid = '' } = metadata;
  const noteMark = (pod: Pod): void => {
    caches.pods.noteWrite(pod);
    observation.pods = observation.pods.map((known) => (known.metadata.uid === pod.metadata.uid ? pod : known));
  };
  const { replicas, requeueAfterMs } = await stepDown(deployment, observation.pods, wanted, {
    client,
    work: gateways.workOf(uid),
    drainTimeoutMs: effectiveSpec(spec).drainTimeoutSeconds * 1_000,
    suspended: reason === 'Suspended',
    since: scaling.since,
    now: now(),
    onWrite: noteMark,
  });
  // Marks were taken back; the count is somebody else's.
  if (reason === 'ReplicasContested') return undefined;
  const scaled = await scale(client, deployment, replicas);
  if (scaled) {
    scaling.contention.written(uid);
    caches.deployments.noteWrite(scaled);
    observation.children.deployment = scaled;
  }
  return requeueAfterMs;
}
