import { effectiveSpec } from '../../api/defaults.ts';
import type { HardwareProfile } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { childName } from '../resources/names.ts';
import type { ReplicaContext } from './context.ts';

/** Returns what messages about the pods of `resource` name. */
export function replicaContext({
  resource,
  profile,
}: {
  resource: InferenceDeployment;
  profile: HardwareProfile | undefined;
}): ReplicaContext {
  const spec = effectiveSpec(resource.spec);
  const accelerator = profile?.spec.accelerator;
  const pullSecrets = profile?.spec.imagePullSecrets?.map(({ name }) => name);
  const { tokenSecretRef } = spec.model;
  return {
    namespace: resource.metadata.namespace ?? '',
    deploymentName: childName(resource.metadata.name),
    profileName: spec.hardwareProfile,
    startupTimeoutSeconds: spec.startupTimeoutSeconds,
    ...(pullSecrets && { pullSecrets }),
    ...(accelerator && { accelerator: `${accelerator.count ?? 1} ${accelerator.resource ?? 'nvidia.com/gpu'}` }),
    ...(tokenSecretRef && { tokenSecret: { name: tokenSecretRef.name, key: tokenSecretRef.key ?? 'token' } }),
  };
}
