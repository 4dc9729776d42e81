/** Labels and ownership that all children of a deployment share. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import {
  COMPONENT_LABEL,
  DEPLOYMENT_LABEL,
  DEPLOYMENT_UID_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  REPLICA_COMPONENT,
} from '../../api/labels.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import type { Job } from '../../api/kubernetes.ts';
import type { ObjectMeta } from '../../kube/types.ts';
import { childName } from './names.ts';

/** Returns the metadata of a child of `resource`: owned by it, so that Kubernetes deletes it with its owner. */
export function childMetadata(resource: InferenceDeployment): ObjectMeta {
  const { name, namespace, uid } = resource.metadata;
  return {
    name: childName(name),
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...ownLabels(resource), [MANAGED_BY_LABEL]: MANAGED_BY },
    ownerReferences: [
      {
        apiVersion: `${inferenceDeployments.group}/${inferenceDeployments.version}`,
        kind: inferenceDeployments.kind,
        name,
        uid: uid ?? '',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** Returns the labels that all pods of `resource` carry. */
export function ownLabels(resource: InferenceDeployment): Record<string, string> {
  const { name, uid } = resource.metadata;
  return { [DEPLOYMENT_LABEL]: name, [DEPLOYMENT_UID_LABEL]: uid ?? '' };
}

/** Returns the labels that select the replicas of `resource`; a Deployment's selector cannot change later. */
export function replicaLabels(resource: InferenceDeployment): Record<string, string> {
  return { ...ownLabels(resource), [COMPONENT_LABEL]: REPLICA_COMPONENT };
}

/** Returns those of `jobs` that are for this component. */
export function jobsFor(jobs: readonly Job[], component: string): Job[] {
  return jobs.filter(({ spec }) => spec.template.metadata.labels?.[COMPONENT_LABEL] === component);
}
