/** What becomes an Event of a deployment, by the status before and after a pass. */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { EventRecorder } from '../kube/events.ts';

const STEPS: ReadonlySet<string> = new Set([
  'Resolving',
  'Scheduling',
  'Downloading',
  'Loading',
  'Suspended',
  'Deleting',
]);

/** Records one Event for each change of the Ready condition's reason. */
export function recordTransition(
  resource: InferenceDeployment,
  status: InferenceDeploymentStatus,
  events: Pick<EventRecorder, 'record'>,
): void {
  const before = resource.status?.conditions?.find((condition) => condition.type === 'Ready');
  const after = status.conditions?.find((condition) => condition.type === 'Ready');
  if (after === undefined || before?.reason === after.reason) return;
  const normal = after.status === 'True' || STEPS.has(after.reason);
  events.record(resource, {
    type: normal ? 'Normal' : 'Warning',
    reason: after.reason,
    message: after.message,
    action: 'Reconcile',
  });
}

/** Records one Event for each change of the number of replicas: `4 → 6: why`. */
export function recordScaling(
  resource: InferenceDeployment,
  { scaling }: InferenceDeploymentStatus,
  events: Pick<EventRecorder, 'record'>,
): void {
  const last = scaling?.recent?.[0];
  if (last === undefined) return;
  const before = resource.status?.scaling?.recent?.[0];
  if (before?.time === last.time && before.from === last.from && before.to === last.to) return;
  const change = `${last.from} → ${last.to}: `;
  const { message = last.reason } = last;
  events.record(resource, {
    type: 'Normal',
    reason: last.to > last.from ? 'ScaledUp' : 'ScaledDown',
    message: message.startsWith(change) ? message : change + message,
    action: 'Scale',
  });
}
