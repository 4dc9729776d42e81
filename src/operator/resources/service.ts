import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { ENGINE_PORT } from './engine.ts';
import { childMetadata, replicaLabels } from './metadata.ts';
import type { Service } from '../../api/kubernetes.ts';

/** Returns the Service whose EndpointSlices gateways follow; people reach it by `kubectl port-forward`. */
export function buildService(resource: InferenceDeployment): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMetadata(resource),
    spec: {
      type: 'ClusterIP',
      selector: replicaLabels(resource),
      ports: [{ name: 'http', port: ENGINE_PORT, protocol: 'TCP', targetPort: 'http' }],
    },
  };
}
