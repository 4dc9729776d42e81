/** What the Jobs of a deployment have in common: one container of Infer's own image, run until it has succeeded. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { COMPONENT_LABEL } from '../../api/labels.ts';
import type { Container, Job, PodSpec, Volume } from '../../api/kubernetes.ts';
import { childMetadata } from './metadata.ts';
import { pullSecretsOf } from './placement.ts';
import { podSecurity } from './security.ts';

export interface JobParts {
  /** By which the pod is told from replicas. */
  component: string;
  container: Container;
  volumes: Volume[];
  placement?: Partial<PodSpec>;
  /** How long it is kept after its end; for ever where absent. */
  ttlSecondsAfterFinished?: number;
}

/** Returns the Job, under the name that all children of the deployment have: a Job needs one of its own. */
export function buildJob(resource: InferenceDeployment, profile: HardwareProfileSpec, parts: JobParts): Job {
  const metadata = childMetadata(resource);
  const { component, container, volumes, placement, ttlSecondsAfterFinished } = parts;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: {
      // The kubelet tries again with a back-off of its own, in the same pod: that costs no write of ours.
      backoffLimit: 1_000_000,
      ...(ttlSecondsAfterFinished !== undefined && { ttlSecondsAfterFinished }),
      template: {
        metadata: { labels: { ...metadata.labels, [COMPONENT_LABEL]: component } },
        spec: {
          restartPolicy: 'OnFailure',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          securityContext: podSecurity,
          containers: [container],
          volumes,
          ...placement,
          ...pullSecretsOf(profile),
        },
      },
    },
  };
}

/** Returns the Job under `name`. */
export function named(job: Job, name: string): Job {
  return { ...job, metadata: { ...job.metadata, name } };
}
