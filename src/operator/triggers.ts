/** Which change of which object asks for a pass over which deployment. */
import { DEPLOYMENT_LABEL } from '../api/labels.ts';
import { inferenceDeployments } from '../api/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { modelNameKeys } from '../api/model-names.ts';
import type { Change } from '../kube/informer.ts';
import type { KubeObject, ObjectReference } from '../kube/types.ts';
import type { Caches } from './caches.ts';

/**
 * Calls `enqueue` with each deployment that a change in `caches` concerns, and `enqueueLater` with one of which only the
 * status was written.
 */
export function enqueueOnChange(
  caches: Caches,
  enqueue: (ref: ObjectReference) => void,
  enqueueLater: (ref: ObjectReference) => void,
): void {
  const owners = ({ object, previous }: Change<KubeObject>): void => {
    // Also what it said before: an edited label or owner must not hide a child from the repair of that edit.
    for (const name of new Set([...ownerNames(object), ...ownerNames(previous)])) {
      enqueue({ namespace: object.metadata.namespace ?? '', name });
    }
  };
  const users = (index: string, ...values: (string | undefined)[]): void => {
    for (const value of new Set(values)) {
      if (value === undefined) continue;
      for (const resource of caches.inferenceDeployments.byIndex(index, value)) enqueue(resource.metadata);
    }
  };
  caches.inferenceDeployments.onChange((change) => {
    if (asksForPass(change)) {
      enqueue(change.object.metadata);
      // Names that it takes, or leaves to others.
      users('modelName', ...modelNameKeys(change.object), ...(change.previous ? modelNameKeys(change.previous) : []));
    } else {
      // By us, most likely; what anybody else wrote there is put right.
      enqueueLater(change.object.metadata);
    }
  });
  caches.hardwareProfiles.onChange(({ object }) => users('profile', object.metadata.name));
  caches.catalogModels.onChange(({ object, previous }) =>
    users('modelId', object.spec.modelId, previous?.spec.modelId),
  );
  caches.deployments.onChange(owners);
  caches.services.onChange(owners);
  caches.podDisruptionBudgets.onChange(owners);
  caches.networkPolicies.onChange(owners);
  caches.persistentVolumeClaims.onChange(owners);
  caches.jobs.onChange(owners);
  caches.controllerRevisions.onChange(owners);
  caches.pods.onChange(owners);
}

/**
 * A change of status alone does not: it is our own write, and a pass that fails with a text that varies would otherwise
 * ask for the next one at once, past its back-off.
 */
function asksForPass({ type, object, previous }: Change<InferenceDeployment>): boolean {
  if (type !== 'updated' || previous === undefined) return true;
  return (
    object.metadata.uid !== previous.metadata.uid ||
    object.metadata.generation !== previous.metadata.generation ||
    object.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp
  );
}

function ownerNames(object: KubeObject | undefined): string[] {
  const label = object?.metadata.labels?.[DEPLOYMENT_LABEL];
  const owner = object?.metadata.ownerReferences?.find((reference) => reference.kind === inferenceDeployments.kind);
  return [label, owner?.name].filter((name) => name !== undefined && name !== '') as string[];
}
