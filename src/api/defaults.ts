/**
 * The defaults that admission writes into a resource, again in code: objects stored before a default was added, and
 * resources built in tests, lack them. A new default must not change a rendered pod.
 */
import type { InferenceDeploymentSpec } from './generated/inference-deployment.ts';

export type EffectiveSpec = InferenceDeploymentSpec &
  Required<
    Pick<
      InferenceDeploymentSpec,
      | 'hardwareProfile'
      | 'minReplicas'
      | 'maxReplicas'
      | 'startupTimeoutSeconds'
      | 'drainTimeoutSeconds'
      | 'holdTimeoutSeconds'
      | 'suspend'
    >
  >;

/** Returns `spec` with every default filled in; an absent maxReplicas means max(1, minReplicas). */
export function effectiveSpec(spec: InferenceDeploymentSpec): EffectiveSpec {
  const minReplicas = spec.minReplicas ?? 1;
  return {
    ...spec,
    hardwareProfile: spec.hardwareProfile ?? 'gpu.a100',
    minReplicas,
    maxReplicas: spec.maxReplicas ?? Math.max(1, minReplicas),
    startupTimeoutSeconds: spec.startupTimeoutSeconds ?? 3600,
    drainTimeoutSeconds: spec.drainTimeoutSeconds ?? 120,
    holdTimeoutSeconds: spec.holdTimeoutSeconds ?? 50,
    suspend: spec.suspend ?? false,
  };
}
