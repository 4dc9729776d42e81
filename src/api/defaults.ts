/**
 * The defaults that admission writes into a resource, again in code: objects stored before a default was added, and
 * resources built in tests, lack them. A new default must not change a rendered pod.
 */
import type { InferenceDeploymentSpec, InferenceDeploymentSpecScaling } from './generated/inference-deployment.ts';

export type EffectiveSpec = Omit<InferenceDeploymentSpec, 'scaling'> & {
  scaling: Required<InferenceDeploymentSpecScaling>;
} & Required<
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
    // In code alone: admission would write them into every resource, and could never change them again.
    scaling: {
      targetRps: spec.scaling?.targetRps ?? 10,
      targetLatencyP95Ms: spec.scaling?.targetLatencyP95Ms ?? 5000,
      stabilizationWindowSeconds: spec.scaling?.stabilizationWindowSeconds ?? 300,
      idleSeconds: spec.scaling?.idleSeconds ?? 600,
    },
  };
}
