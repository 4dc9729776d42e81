/** The Job that looks up a model at the hub before a GPU is reserved for it. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { COMPONENT_LABEL, PREFLIGHT_COMPONENT } from '../../api/labels.ts';
import type { Job, JobPodSpec } from '../../api/kubernetes.ts';
import { contentHash } from '../../kube/hash.ts';
import { hubEnvironment, type HubSettings } from './hub-environment.ts';
import { childMetadata } from './metadata.ts';
import { preflightName } from './names.ts';
import { podSecurity, restrictedContainer } from './security.ts';

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
  const metadata = childMetadata(resource);
  const { restartedAt } = resource.spec;
  const template: Job['spec']['template'] = {
    metadata: { labels: { ...metadata.labels, [COMPONENT_LABEL]: PREFLIGHT_COMPONENT } },
    spec: podSpec(resource, profile, install),
  };
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: {
      // The kubelet tries again with a back-off of its own, in the same pod: that costs no write of ours.
      backoffLimit: 1_000_000,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template,
    },
  };
  const question = { job, restartedAt };
  const name = preflightName(resource.metadata.name, contentHash(question).slice(0, 6));
  return { ...job, metadata: { ...metadata, name } };
}

function podSpec(
  { spec: { model, adapters = [] } }: InferenceDeployment,
  { imagePullSecrets }: HardwareProfileSpec,
  install: HubSettings & { image: string },
): JobPodSpec {
  return {
    restartPolicy: 'OnFailure',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 5,
    securityContext: podSecurity,
    containers: [
      {
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
    ],
    volumes: [],
    ...(imagePullSecrets && { imagePullSecrets: imagePullSecrets.map(({ name }) => ({ name })) }),
  };
}
