/** What a profile says of the nodes of a pod, and of the registry of its images. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { PodSpec } from '../../api/kubernetes.ts';

/** Returns which nodes may take a pod of the profile. */
export function nodesOf({ nodeSelector, tolerations }: HardwareProfileSpec): Partial<PodSpec> {
  return {
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations: tolerations.map((toleration) => ({ ...toleration })) }),
  };
}

/** Returns the Secrets with which the images of a pod of the profile are pulled. */
export function pullSecretsOf({ imagePullSecrets }: HardwareProfileSpec): Partial<PodSpec> {
  return imagePullSecrets ? { imagePullSecrets: imagePullSecrets.map(({ name }) => ({ name })) } : {};
}
