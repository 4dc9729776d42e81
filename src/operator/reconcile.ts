/** One pass over one deployment: gather → plan → apply → scale → status. */
import type { Standing } from '../autoscaler/standing.ts';
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import { RECONCILER_MANAGER } from '../api/labels.ts';
import { inferenceDeployments } from '../api/resources.ts';
import type { Applier } from '../kube/apply.ts';
import { isConflict, isNamespaceTerminating, isNotFound, WritesEnded } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { apiVersionOf, type ObjectReference } from '../kube/types.ts';
import type { ProcessResult } from '../kube/workqueue.ts';
import { isDeepStrictEqual } from 'node:util';
import type { ApplyFailures } from './apply-failures.ts';
import { applyChildren, applyJobs } from './apply.ts';
import { deletingStatus } from './deletion.ts';
import { downloadedPercent, type LogTail } from './download-progress.ts';
import { readLog, type EngineLogs } from './engine-logs.ts';
import { BEHIND, gather, type Observation } from './gather.ts';
import { isThere, makesSomething } from './owner.ts';
import { plan, type Plan, type PlanSettings } from './plan.ts';
import { recordScaling, recordTransition } from './record-events.ts';
import { actedOn } from './scaling-status.ts';
import { decisionOn, scaleTo, type ScalingContext } from './scaling.ts';
import type { Settings } from './settings.ts';
import { computeStatus, type StatusInput } from './status.ts';
import { applyRevision, deleteObsolete } from './templates/apply-revision.ts';
import type { Turns } from './templates/turns.ts';
import { DISPLAY_INTERVAL_MS, type TrafficDisplay } from './traffic-display.ts';
import { timeAndPrice, usageOf, type AccountingContext } from './usage/accounting.ts';

/** Caches usually pass an own write within milliseconds, and their event brings the key back sooner than this. */
const BEHIND_RETRY_MS = 250;
/** The deletion of a resource, or of a predecessor's child, brings an event; this is for the one that is late or missed. */
const DELETION_RETRY_MS = 2_000;
/** A kubelet that did not give a log is asked again. */
const LOG_RETRY_MS = 2_000;
/** From one look at the progress of a download to the next. */
const PROGRESS_MS = 5_000;
/** A node that was lost must not hold up the passes of other deployments. */
const PROGRESS_TIMEOUT_MS = 1_000;

export interface ReconcileContext extends ScalingContext, AccountingContext {
  client: ScalingContext['client'];
  applier: Applier;
  events: EventRecorder;
  display: TrafficDisplay;
  scaling: ScalingContext['scaling'] & AccountingContext['scaling'];
  failures: ApplyFailures;
  engineLogs: EngineLogs;
  turns: Turns;
  settings: PlanSettings & Pick<Settings, 'gatewayUrl'>;
}

/**
 * Brings the deployment `ref` one pass nearer to its spec and writes its status if that changed. Throws what the API
 * server answered, after status was written, so that the queue tries again with back-off.
 */
export async function reconcile(ref: ObjectReference, context: ReconcileContext): Promise<ProcessResult> {
  const { caches, settings, now } = context;
  const observation = await gather(ref, caches, context.client, settings.namespace);
  if (observation === undefined) {
    context.failures.forget(ref);
    context.turns.forget(ref);
    return await noteDeletion(ref, context);
  }
  if (observation === BEHIND) return { requeueAfterMs: BEHIND_RETRY_MS, untried: true };

  const { hardwareProfile } = effectiveSpec(observation.resource.spec);
  // Nothing is awaited between the question and the note: two passes must not take one turn.
  const planned = plan(observation, settings, now(), context.turns.isFree(ref, hardwareProfile));
  context.turns.note(ref, hardwareProfile, planned.template?.standing ?? 'none');
  if (makesSomething(planned, observation) && !(await isThere(observation, context.client))) {
    return { requeueAfterMs: DELETION_RETRY_MS, untried: true };
  }
  return await carryOut(ref, planned, observation, context);
}

async function carryOut(
  ref: ObjectReference,
  planned: Plan,
  observation: Observation,
  context: ReconcileContext,
): Promise<ProcessResult> {
  const { settings, now } = context;
  const decision = decisionOn(observation, context);
  let failure: unknown;
  let drainMs: number | undefined;
  try {
    drainMs = await applyAndScale(planned, observation, decision, context);
    context.failures.forget(ref);
  } catch (error) {
    failure = error;
  }
  // It goes with its namespace, and nothing that is said of it is read any more.
  if (isNamespaceTerminating(failure)) return {};
  // Of a state that has passed nothing true can be said.
  if (isConflict(failure) || failure instanceof WritesEnded) throw failure;
  const applyFailure = failure ? context.failures.describe(failure, observation.resource) : undefined;
  if (failure && applyFailure === undefined) throw failure;
  const traffic = shownTraffic(observation.resource, context);
  const accounts = await timeAndPrice(observation, context);
  const { gatewayUrl } = settings;
  // After the children were applied, which a kubelet that does not answer must not hold up.
  const { lookAgainMs, ...told } = await readLogs(observation, context);
  const status = computeStatus(
    {
      observation,
      plan: planned,
      decision,
      learned: context.scaling.scaler.learned(observation.resource),
      applyFailure,
      ...told,
      traffic: traffic.shown,
      ...accounts.told,
      gatewayUrl,
    },
    now(),
  );
  await writeStatus(observation.resource, status, context);
  if (failure) throw failure;
  if (accounts.failure !== undefined) throw accounts.failure;
  return nextPass(planned, [
    ...(traffic.unsettled ? [DISPLAY_INTERVAL_MS] : []),
    ...accounts.lookAgainMs,
    ...lookAgainMs,
    ...(drainMs === undefined ? [] : [drainMs]),
    ...(planned.lookAgainMs === undefined ? [] : [planned.lookAgainMs]),
  ]);
}

/** What the logs of the pods tell: why engines failed, and how far a download is. */
async function readLogs(
  { pods, jobPods, resource }: Observation,
  { client, engineLogs }: ReconcileContext,
): Promise<Pick<StatusInput, 'engineCauses' | 'downloadedPercent'> & { lookAgainMs: number[] }> {
  const { causes: engineCauses, unread } = await engineLogs.causesOf(pods);
  const tail: LogTail = async (pod, container) =>
    await readLog(client, pod.metadata, { container, tailLines: '10' }, PROGRESS_TIMEOUT_MS);
  const shown = resource.status?.model?.downloadedPercent;
  const percent = await downloadedPercent([...pods, ...jobPods], tail, shown);
  const lookAgainMs = [...(unread ? [LOG_RETRY_MS] : []), ...(percent === undefined ? [] : [PROGRESS_MS])];
  return { engineCauses, downloadedPercent: percent, lookAgainMs };
}

async function noteDeletion(ref: ObjectReference, context: ReconcileContext): Promise<ProcessResult> {
  const { hardwareProfiles, inferenceDeployments: resources, pods: replicas } = context.caches;
  const resource = resources.get(ref);
  if (resource === undefined) return {};
  if (resources.isBehind(ref)) return { requeueAfterMs: BEHIND_RETRY_MS, untried: true };
  const { namespace = '', uid = '' } = resource.metadata;
  const pods = replicas.byIndex('deployment', `${namespace}/${uid}`);
  const { hardwareProfile: name } = effectiveSpec(resource.spec);
  const profile = hardwareProfiles.get({ namespace: context.settings.namespace, name });
  const { usage, failure } = await usageOf(resource, pods, context);
  const status = deletingStatus({ resource, profile, pods, usage }, context.now());
  try {
    await writeStatus(resource, status, context);
  } catch (error) {
    // It has gone meanwhile.
    if (!isNotFound(error) && !isConflict(error)) throw error;
    return {};
  }
  if (failure !== undefined) throw failure;
  return {};
}

/** When to look again although nothing changes; `waits` are the milliseconds after which something is due. */
function nextPass(planned: Plan, waits: readonly number[]): ProcessResult {
  if (planned.waitsForDeletion) return { requeueAfterMs: DELETION_RETRY_MS };
  return waits.length === 0 ? {} : { requeueAfterMs: Math.min(...waits) };
}

function shownTraffic(
  { metadata: { uid = '' }, status }: InferenceDeployment,
  context: ReconcileContext,
): ReturnType<TrafficDisplay['show']> {
  const { display, gateways } = context;
  return display.show(uid, status?.scaling ?? {}, {
    traffic: gateways.trafficOf(uid),
    silentMs: gateways.silentMs(),
    nowMs: performance.now(),
  });
}

/** Returns after how many milliseconds a scale-down goes on whatever the gateways say; undefined where none waits. */
async function applyAndScale(
  planned: Plan,
  observation: Observation,
  decision: Standing,
  context: ReconcileContext,
): Promise<number | undefined> {
  const { applier, caches, client } = context;
  const { children } = observation;
  const template = planned.children?.deployment && planned.template;
  if (template) await applyRevision(template, observation.revisions, context);
  if (planned.children) {
    children.deployment = await applyChildren(planned.children, children, applier, caches);
  }
  if (planned.jobs) await applyJobs(planned.jobs, observation.jobs, context);
  if (template) await deleteObsolete(template, client);
  const acted = actedOn(decision, planned, children.deployment);
  return acted && children.deployment && (await scaleTo(acted, children.deployment, observation, context));
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
  recordScaling(resource, status, context.events);
}
