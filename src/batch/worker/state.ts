/** Pure: the states of a batch as its status holds them. The reasons are a part of the API and never renamed. */
import type { InferenceBatch, InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { findCondition, formatTime, setCondition } from '../../kube/conditions.ts';
import type { DeploymentName } from '../gateway.ts';

export type BatchState =
  'Validating' | 'Failed' | 'InProgress' | 'Finalizing' | 'Completed' | 'Expired' | 'Cancelling' | 'Cancelled';

/** Keeps the resource until the objects of the batch are removed from the store. */
export const FINALIZER = 'infer.dev/batch-files';

/** The only completion window there is. */
const WINDOW_MS = 24 * 3_600_000;

const COMPLETE = 'Complete';

const FINAL: ReadonlySet<BatchState> = new Set(['Failed', 'Completed', 'Expired', 'Cancelled']);

/** The field that says when a state was reached; the first time counts. */
const REACHED = {
  Validating: undefined,
  Failed: 'failedAt',
  InProgress: 'inProgressAt',
  Finalizing: 'finalizingAt',
  Completed: 'completedAt',
  Expired: 'expiredAt',
  Cancelling: 'cancellingAt',
  Cancelled: 'cancelledAt',
} as const;

/** Returns the state of the batch; one that nobody has looked at is Validating. */
export function stateOf(batch: InferenceBatch): BatchState {
  const reason = findCondition(batch.status?.conditions, COMPLETE)?.reason;
  return reason !== undefined && reason in REACHED ? (reason as BatchState) : 'Validating';
}

/** True for a state that is never left. */
export function isFinal(state: BatchState): boolean {
  return FINAL.has(state);
}

/** Returns when the window of the batch ends, in Unix milliseconds. */
export function windowEnd(batch: InferenceBatch): number {
  return Date.parse(batch.metadata.creationTimestamp ?? '') + WINDOW_MS;
}

/** True where the batch has nothing to send any more, whatever is left to be done for it. `nowMs` is in Unix milliseconds. */
export function sendsNothing(batch: InferenceBatch, nowMs: number): boolean {
  return batch.spec.cancel === true || batch.status?.finalizingAt !== undefined || windowEnd(batch) <= nowMs;
}

/** Returns when the batch reached its final state, in Unix milliseconds; undefined before. */
export function endedAt(batch: InferenceBatch): number | undefined {
  const state = stateOf(batch);
  const field = REACHED[state];
  const at = isFinal(state) && field !== undefined ? batch.status?.[field] : undefined;
  return at === undefined ? undefined : Date.parse(at);
}

/** Returns the status of the batch in this state, with the time at which it was reached. */
export function enterState(
  batch: InferenceBatch,
  state: BatchState,
  message: string,
  now: Date,
  fields: Partial<InferenceBatchStatus> = {},
): InferenceBatchStatus {
  const { generation } = batch.metadata;
  const field = REACHED[state];
  const status: InferenceBatchStatus = {
    ...batch.status,
    ...(field !== undefined && { [field]: batch.status?.[field] ?? formatTime(now) }),
    expiresAt: formatTime(new Date(windowEnd(batch))),
    ...(generation !== undefined && { observedGeneration: generation }),
    ...fields,
  };
  const condition = {
    type: COMPLETE,
    status: isFinal(state) ? ('True' as const) : ('False' as const),
    reason: state,
    message: message.slice(0, 1024),
    ...(generation !== undefined && { observedGeneration: generation }),
  };
  return { ...status, conditions: setCondition(batch.status?.conditions, condition, now) };
}

/** Returns how `status.deployment` writes the deployment of a batch of `namespace`. */
export function formatDeployment(deployment: DeploymentName, namespace: string): string {
  return deployment.namespace === namespace ? deployment.name : `${deployment.namespace}/${deployment.name}`;
}

/** Returns the deployment that the requests of the batch go to; undefined before that was found out. */
export function deploymentOf(batch: InferenceBatch): DeploymentName | undefined {
  const written = batch.status?.deployment;
  if (written === undefined) return undefined;
  const slash = written.indexOf('/');
  return slash === -1
    ? { namespace: batch.metadata.namespace ?? '', name: written }
    : { namespace: written.slice(0, slash), name: written.slice(slash + 1) };
}

/** Returns how many requests of the batch have no result yet; undefined before its input was found good. */
export function requestsLeft(batch: InferenceBatch): number | undefined {
  const requests = batch.status?.requests;
  return requests && requests.total - requests.completed - requests.failed;
}
