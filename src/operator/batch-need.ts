/** Pure: which deployment a batch needs replicas of, and how many a deployment's batches need. */
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { findCondition } from '../kube/conditions.ts';

/** Returns the deployment that the batch has work for, as NAMESPACE/NAME; none where it has none, or none any more. */
export function deploymentsOf({ metadata, status }: InferenceBatch): string[] {
  const { deployment = '' } = status ?? {};
  if (deployment === '' || metadata.deletionTimestamp !== undefined) return [];
  if (findCondition(status?.conditions, 'Complete')?.status === 'True') return [];
  return [deployment.includes('/') ? deployment : `${metadata.namespace}/${deployment}`];
}

/**
 * Returns how many replicas of `resource` its `batches` need: the most that one of them says, 0 of none. Those of a namespace whose keys cannot reach it, and those whose window is over, do not count.
 */
export function neededByBatches(
  { metadata, spec }: InferenceDeployment,
  batches: readonly InferenceBatch[],
  now: Date,
): number {
  const counted = batches.filter(
    ({ metadata: { namespace = '' }, status }) =>
      (namespace === metadata.namespace || (spec.allowKeysFrom ?? []).includes(namespace)) &&
      // Of a batch that nobody looks after any more nothing else would ever end.
      !(Date.parse(status?.expiresAt ?? '') <= now.getTime()),
  );
  return counted.reduce((most, { status }) => Math.max(most, status?.neededReplicas ?? 0), 0);
}

/** Returns the deployments, as NAMESPACE/NAME, for whose replicas the change of a batch counts. */
export function concernedBy(object: InferenceBatch, previous: InferenceBatch | undefined): string[] {
  const before = previous === undefined ? [] : deploymentsOf(previous);
  const after = deploymentsOf(object);
  const isSame = before[0] === after[0] && previous?.status?.neededReplicas === object.status?.neededReplicas;
  return isSame ? [] : [...new Set([...before, ...after])];
}
