/** One pass over one deployment: gather → plan → apply → scale → status. */
import { scale } from '../autoscaler/scale.ts';
import { decide } from '../autoscaler/decide.ts';
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import { RECONCILER_MANAGER } from '../api/labels.ts';
import { inferenceDeployments } from '../api/resources.ts';
import type { Deployment } from '../api/kubernetes.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { apiVersionOf, type ObjectReference } from '../kube/types.ts';
import type { ProcessResult } from '../kube/workqueue.ts';
import { isDeepStrictEqual } from 'node:util';
import { applyChildren } from './apply.ts';
import type { Caches } from './caches.ts';
import { hostileText } from './diagnose/messages.ts';
import { BEHIND, gather, type Observation } from './gather.ts';
import { plan, type Plan, type PlanSettings } from './plan.ts';
import type { Settings } from './settings.ts';
import { computeStatus } from './status.ts';

/** Caches usually pass an own write within milliseconds, and their event brings the key back sooner than this. */
const BEHIND_RETRY_MS = 250;
/** The deletion of a predecessor's child brings an event; this is for the one that was missed. */
const DELETION_RETRY_MS = 2_000;
/** Objects without our labels are not watched: whether one that is in the way has gone is looked up. */
const CONFLICT_RETRY_MS = 30_000;

export interface ReconcileContext {
  caches: Caches;
  client: KubeClient;
  applier: Applier;
  events: EventRecorder;
  settings: PlanSettings & Pick<Settings, 'gatewayUrl'>;
  now: () => Date;
}

/**
 * Brings the deployment `ref` one pass nearer to its spec and writes its status if that changed. Throws what the API
 * server answered, after status was written, so that the queue tries again with back-off.
 */
export async function reconcile(ref: ObjectReference, context: ReconcileContext): Promise<ProcessResult> {
  const { caches, client, settings, now } = context;
  const observation = await gather(ref, caches, client, settings.namespace);
  if (observation === undefined) return {};
  if (observation === BEHIND) return { requeueAfterMs: BEHIND_RETRY_MS, untried: true };

  const planned = plan(observation, settings);
  const decision = decide(effectiveSpec(observation.resource.spec));
  let failure: unknown;
  try {
    const deployment = await applyAndScale(planned, observation, decision.replicas, context);
    if (deployment) observation.children.deployment = deployment;
  } catch (error) {
    failure = error;
  }
  const applyFailure = refusedText(failure, observation.resource);
  const { gatewayUrl } = settings;
  const status = computeStatus({ observation, plan: planned, decision, applyFailure, gatewayUrl }, now());
  await writeStatus(observation.resource, status, context);
  if (failure) throw failure;
  if (planned.waitsForDeletion) return { requeueAfterMs: DELETION_RETRY_MS };
  return planned.refusal?.reason === 'NameConflict' ? { requeueAfterMs: CONFLICT_RETRY_MS } : {};
}

async function applyAndScale(
  planned: Plan,
  observation: Observation,
  wanted: number,
  context: ReconcileContext,
): Promise<Deployment | undefined> {
  const { applier, caches, client } = context;
  const scaleTo = async (deployment: Deployment, replicas: number): Promise<Deployment> => {
    const scaled = await scale(client, deployment, replicas);
    if (scaled) caches.deployments.noteWrite(scaled);
    return scaled ?? deployment;
  };
  if (planned.children) {
    return await scaleTo(await applyChildren(planned.children, observation.children, applier, caches), wanted);
  }
  const { deployment } = observation.children;
  if (!planned.mayScaleDown || deployment === undefined) return undefined;
  // Whoever suspends a deployment whose profile is gone means it; more replicas of such a profile nobody may have.
  return await scaleTo(deployment, Math.min(wanted, deployment.spec.replicas ?? 0));
}

/**
 * What a person can act on; a conflict or an outage mends itself and is not shown. Refusals often carry a time or a
 * request's id: a text that differs from the one shown only in such parts is not shown anew, since each try would
 * otherwise write status.
 */
function refusedText(failure: unknown, resource: InferenceDeployment): string | undefined {
  if (!(failure instanceof ApiError) || ![400, 403, 422].includes(failure.status)) return undefined;
  const text = `Kubernetes refused a change: ${hostileText(failure.message)}`;
  const shown = resource.status?.conditions?.find(({ reason }) => reason === 'ApplyFailed')?.message;
  return shown !== undefined && withoutNumbers(shown) === withoutNumbers(text) ? shown : text;
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/[\w-]*\d[\w-]*/g, '#');
}

async function writeStatus(
  resource: InferenceDeployment,
  status: InferenceDeploymentStatus,
  context: ReconcileContext,
): Promise<void> {
  if (isDeepStrictEqual(status, resource.status)) return;
  const { name, namespace, uid } = resource.metadata;
  const intent = {
    apiVersion: apiVersionOf(inferenceDeployments),
    kind: inferenceDeployments.kind,
    // The uid makes a write for a resource deleted and made again meanwhile a 409.
    metadata: { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) },
    status,
  } as InferenceDeployment;
  const written = await context.client.apply(inferenceDeployments, intent, {
    fieldManager: RECONCILER_MANAGER,
    force: true,
    subresource: 'status',
  });
  context.caches.inferenceDeployments.noteWrite(written);
  recordTransition(resource, status, context.events);
}

/** One Event for each change of the Ready condition's reason. */
function recordTransition(
  resource: InferenceDeployment,
  status: InferenceDeploymentStatus,
  events: EventRecorder,
): void {
  const before = resource.status?.conditions?.find((condition) => condition.type === 'Ready');
  const after = status.conditions?.find((condition) => condition.type === 'Ready');
  if (after === undefined || before?.reason === after.reason) return;
  const steps: ReadonlySet<string> = new Set(['Scheduling', 'Downloading', 'Loading', 'Suspended']);
  const normal = after.status === 'True' || steps.has(after.reason);
  events.record(resource, {
    type: normal ? 'Normal' : 'Warning',
    reason: after.reason,
    message: after.message,
    action: 'Reconcile',
  });
}
