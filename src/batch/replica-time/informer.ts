import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import { Informer } from '../../kube/informer.ts';
import type { BatchInformerOptions } from '../informer.ts';

/** Returns the informer of deployments with what tells of the time of their replicas, not started. */
export function createDeploymentInformer({
  watchNamespace,
  ...options
}: BatchInformerOptions): Informer<InferenceDeployment> {
  return new Informer({
    ...options,
    ...(watchNamespace !== undefined && { namespace: watchNamespace }),
    resource: inferenceDeployments,
    decode: ({ metadata: { name, namespace, uid, resourceVersion, creationTimestamp }, spec: { model }, status }) => ({
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
        ...(creationTimestamp !== undefined && { creationTimestamp }),
      },
      spec: { model },
      status: { ...(status?.usage && { usage: status.usage }), ...(status?.cost && { cost: status.cost }) },
    }),
  });
}
