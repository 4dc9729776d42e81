/** The Job that looks up a model at the hub before a GPU is reserved for it. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { PREFLIGHT_COMPONENT } from '../../api/labels.ts';
import type { Job } from '../../api/kubernetes.ts';
import { contentHash } from '../../kube/hash.ts';
import { hubEnvironment, type HubSettings } from './hub-environment.ts';
import { buildJob, named } from './job.ts';
import { preflightName } from './names.ts';
import { restrictedContainer } from './security.ts';

/** The container that leaves what it found out in its termination message. */
export const PREFLIGHT_CONTAINER = 'preflight';

/** Long enough to be looked at; its result is kept in the status. */
const KEPT_SECONDS = 600;

/**
 * Returns the Job. Its name holds a hash of what it asks and of the resource's UID: a Job cannot be changed, so another
 * question is another Job, and what a predecessor of the resource found out is never taken for this one's.
 */
export function buildPreflightJob(
  resource: InferenceDeployment,
  profile: HardwareProfileSpec,
  install: HubSettings & { image: string },
): Job {
  const { model, adapters = [], restartedAt } = resource.spec;
  const job = buildJob(resource, profile, {
    component: PREFLIGHT_COMPONENT,
    container: {
      name: PREFLIGHT_CONTAINER,
      image: install.image,
      imagePullPolicy: 'IfNotPresent',
      command: ['node', '/app/preflight.js'],
      env: [
        ...hubEnvironment(model, model.revision ?? 'main', install),
        ...(adapters.length === 0 ? [] : [{ name: 'INFER_ADAPTERS', value: JSON.stringify(adapters) }]),
      ],
      resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
      volumeMounts: [],
      securityContext: restrictedContainer,
    },
    volumes: [],
    ttlSecondsAfterFinished: KEPT_SECONDS,
  });
  return named(job, preflightName(resource.metadata.name, contentHash({ job, restartedAt }).slice(0, 6)));
}
