/** The Deployment of a deployment's replicas, as a pure function of what decides it. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { RESTARTED_AT_ANNOTATION } from '../../api/labels.ts';
import { effectiveSpec } from '../../api/defaults.ts';
import { parseQuantity } from '../../api/quantity.ts';
import { adapterArguments } from './adapters.ts';
import { downloadContainer } from './download.ts';
import type { HubSettings } from './hub-environment.ts';
import { childMetadata, replicaLabels } from './metadata.ts';
import { cacheClaimOf } from './model-cache.ts';
import { filesAnnotation, modelFiles, type KnownModel, type ModelFiles } from './model-files.ts';
import { nodesOf, pullSecretsOf } from './placement.ts';
import { podSecurity, restrictedContainer } from './security.ts';
import {
  effectiveEngineSettings,
  ENGINE_PORT,
  engineArguments,
  engineEnvironment,
  MODEL_DIRECTORY,
  SCRATCH_DIRECTORY,
  type EngineSettings,
} from './engine.ts';
import type { Container, Deployment, HttpProbe, PodSpec, Volume } from '../../api/kubernetes.ts';

/** Between the mark of deletion and SIGTERM: covers the time until every gateway has seen the mark. */
export const PRE_STOP_SECONDS = 5;
/** Beyond vLLM's own shutdown timeout, for its processes to end before the kubelet's SIGKILL. */
const SHUTDOWN_MARGIN_SECONDS = 10;
const STARTUP_PERIOD_SECONDS = 5;

/** Settings of the install that shape pods; never a user's. */
export interface InstallSettings extends HubSettings {
  /** The image of Infer itself, for the download container. */
  image: string;
}

export interface DeploymentInput {
  resource: InferenceDeployment;
  profile: HardwareProfileSpec;
  /** The catalogue model's engine settings, which the deployment's own override. */
  catalogueEngine: EngineSettings | undefined;
  /** What was found out about the model: its commit is every replica's. */
  known?: KnownModel;
  /** What to send as `spec.replicas`; undefined once the scaler owns the field. */
  replicas: number | undefined;
  strategy: { maxSurge: number; maxUnavailable: number };
  install: InstallSettings;
}

/** Returns the Deployment to apply for `input`. */
export function buildDeployment(input: DeploymentInput): Deployment {
  const { known, profile, resource, replicas, strategy } = input;
  const spec = effectiveSpec(resource.spec);
  const labels = replicaLabels(resource);
  const files = modelFiles(resource, known, cacheClaimOf(resource, profile) !== undefined);
  const annotations = {
    ...(spec.restartedAt !== undefined && { [RESTARTED_AT_ANNOTATION]: spec.restartedAt }),
    ...filesAnnotation(files),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: childMetadata(resource),
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { ...strategy } },
      progressDeadlineSeconds: spec.startupTimeoutSeconds,
      revisionHistoryLimit: 3,
      template: {
        metadata: {
          labels: { ...resource.spec.podLabels, ...childMetadata(resource).labels, ...labels },
          ...(Object.keys(annotations).length > 0 && { annotations }),
        },
        spec: podSpec(input, files),
      },
    },
  };
}

function podSpec(input: DeploymentInput, files: ModelFiles): PodSpec {
  const { profile, resource } = input;
  const spec = effectiveSpec(resource.spec);
  return {
    automountServiceAccountToken: false,
    // A Service named `vllm` would inject VLLM_PORT=tcp://..., which vLLM takes for its own setting.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: PRE_STOP_SECONDS + spec.drainTimeoutSeconds + SHUTDOWN_MARGIN_SECONDS,
    securityContext: podSecurity,
    ...(files.claimName === undefined ? { initContainers: [download(input, files)] } : {}),
    containers: [engineContainer(input, files)],
    volumes: volumes(profile, files),
    ...placement(profile, replicaLabels(resource)),
  };
}

function placement(profile: HardwareProfileSpec, labels: Record<string, string>): Partial<PodSpec> {
  const { topologySpread, runtimeClassName, priorityClassName } = profile;
  return {
    ...nodesOf(profile),
    ...(topologySpread && {
      topologySpreadConstraints: [
        {
          maxSkew: topologySpread.maxSkew ?? 1,
          topologyKey: topologySpread.topologyKey ?? 'kubernetes.io/hostname',
          // A preference: a replica on a full zone's neighbour serves better than one that waits.
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: labels },
        },
      ],
    }),
    ...(runtimeClassName && { runtimeClassName }),
    ...(priorityClassName && { priorityClassName }),
    ...pullSecretsOf(profile),
  };
}

function volumes(profile: HardwareProfileSpec, { claimName }: ModelFiles): Volume[] {
  const sizeLimit = profile.modelCache?.sizeLimit;
  return [
    claimName !== undefined
      ? { name: 'model', persistentVolumeClaim: { claimName, readOnly: true } }
      : { name: 'model', emptyDir: sizeLimit === undefined ? {} : { sizeLimit: String(sizeLimit) } },
    { name: 'scratch', emptyDir: {} },
    { name: 'tmp', emptyDir: {} },
    { name: 'shared-memory', emptyDir: { medium: 'Memory', sizeLimit: String(profile.sharedMemory ?? '2Gi') } },
  ];
}

function healthProbe(periodSeconds: number, failureThreshold: number): HttpProbe {
  return { httpGet: { path: '/health', port: 'http' }, periodSeconds, timeoutSeconds: 5, failureThreshold };
}

/** A quantity may be written as a number (`cpu: 4`); the API server answers with strings. */
function quantities(resources: { cpu?: number | string; memory?: number | string }): Record<string, string> {
  return Object.fromEntries(Object.entries(resources).map(([name, quantity]) => [name, String(quantity)]));
}

function download({ install, profile, resource }: DeploymentInput, files: ModelFiles): Container {
  const sizeLimit = profile.modelCache?.sizeLimit;
  const maxBytes = sizeLimit === undefined ? undefined : String(Math.floor(parseQuantity(sizeLimit)));
  const limit = maxBytes === undefined ? [] : [{ name: 'INFER_MODEL_MAX_BYTES', value: maxBytes }];
  return downloadContainer(resource.spec.model, files, install, limit);
}

function engineContainer(input: DeploymentInput, files: ModelFiles): Container {
  const { resource, profile, known } = input;
  const spec = effectiveSpec(resource.spec);
  const accelerators = profile.accelerator
    ? { [profile.accelerator.resource ?? 'nvidia.com/gpu']: String(profile.accelerator.count ?? 1) }
    : {};
  return {
    name: 'engine',
    image: profile.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['vllm', 'serve'],
    args: engineArguments({
      name: resource.metadata.name,
      modelPath: files.model.directory,
      profile,
      settings: effectiveEngineSettings(spec.engine, input.catalogueEngine),
      drainTimeoutSeconds: spec.drainTimeoutSeconds,
      adapters: adapterArguments(resource.metadata.name, files, known),
    }),
    env: engineEnvironment(),
    ports: [{ name: 'http', containerPort: ENGINE_PORT, protocol: 'TCP' }],
    resources: {
      requests: { ...quantities(profile.resources.requests), ...accelerators },
      limits: { ...quantities(profile.resources.limits ?? {}), ...accelerators },
    },
    volumeMounts: [
      { name: 'model', mountPath: MODEL_DIRECTORY, readOnly: true },
      { name: 'scratch', mountPath: SCRATCH_DIRECTORY },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'shared-memory', mountPath: '/dev/shm' },
    ],
    securityContext: restrictedContainer,
    startupProbe: healthProbe(STARTUP_PERIOD_SECONDS, Math.ceil(spec.startupTimeoutSeconds / STARTUP_PERIOD_SECONDS)),
    readinessProbe: healthProbe(5, 3),
    // Lenient: /health of a busy engine is slow, and a restart costs minutes of loading.
    livenessProbe: healthProbe(10, 6),
    lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}
