import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { childMetadata, replicaLabels } from './metadata.ts';
import type { PodDisruptionBudget } from '../../api/kubernetes.ts';

/**
 * Returns the budget that lets a node be drained one replica at a time. `maxUnavailable: 1` never blocks a drain for
 * ever, also with one replica, and replicas that are not ready may always go.
 */
export function buildDisruptionBudget(resource: InferenceDeployment): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMetadata(resource),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: replicaLabels(resource) },
    },
  };
}
