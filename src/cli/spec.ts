/** Pure: the spec that options ask for. */
import type { InferenceDeploymentSpec, InferenceDeploymentSpecScaling } from '../api/generated/inference-deployment.ts';
import type { SpecOptions } from './commands/spec-options.ts';

/** Returns the fields of spec that `options` set, without the model's. */
export function specOf(options: SpecOptions): Omit<InferenceDeploymentSpec, 'model'> {
  const scaling: InferenceDeploymentSpecScaling = {
    ...(options.targetRps !== undefined && { targetRps: options.targetRps }),
    ...(options.targetLatency !== undefined && { targetLatencyP95Ms: options.targetLatency }),
    ...(options.stabilisation !== undefined && { stabilizationWindowSeconds: options.stabilisation }),
  };
  return {
    ...(options.hardwareProfile !== undefined && { hardwareProfile: options.hardwareProfile }),
    ...(options.minReplicas !== undefined && { minReplicas: options.minReplicas }),
    ...(options.maxReplicas !== undefined && { maxReplicas: options.maxReplicas }),
    ...(Object.keys(scaling).length > 0 && { scaling }),
  };
}

/** Returns the reference to a Secret from `NAME` or `NAME:KEY`. */
export function secretReference(text: string): { name: string; key?: string } {
  const [name = '', key] = text.split(':');
  return key === undefined || key === '' ? { name } : { name, key };
}
