/** The Deployment of a deployment's replicas, as a pure function of what decides it. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { RESTARTED_AT_ANNOTATION } from '../../api/labels.ts';
import { effectiveSpec } from '../../api/defaults.ts';
import { parseQuantity } from '../../api/quantity.ts';
import { adapterArguments, adapterDownloads } from './adapters.ts';
import { childMetadata, replicaLabels } from './metadata.ts';
import {
  effectiveEngineSettings,
  ENGINE_PORT,
  engineArguments,
  engineEnvironment,
  MODEL_DIRECTORY,
  SCRATCH_DIRECTORY,
  type EngineSettings,
} from './engine.ts';
import type { Container, Deployment, EnvironmentVariable, HttpProbe, PodSpec, Volume } from '../../api/kubernetes.ts';

/** Between the mark of deletion and SIGTERM: covers the time until every gateway has seen the mark. */
export const PRE_STOP_SECONDS = 5;
/** Beyond vLLM's own shutdown timeout, for its processes to end before the kubelet's SIGKILL. */
const SHUTDOWN_MARGIN_SECONDS = 10;
const STARTUP_PERIOD_SECONDS = 5;
/** Numeric because the kubelet cannot check a user's name against runAsNonRoot; no image needs to know it. */
const REPLICA_UID = 10001;

/** Settings of the install that shape pods; never a user's. */
export interface InstallSettings {
  /** The image of Infer itself, for the download container. */
  image: string;
  /** The hub's base URL, for example https://huggingface.co, or a mirror. */
  hubEndpoint: string;
  /** For https hubs; absent means without a proxy. */
  httpsProxy?: string | undefined;
  /** Hosts that are reached without it, separated by commas. */
  noProxy?: string | undefined;
}

export interface DeploymentInput {
  resource: InferenceDeployment;
  profile: HardwareProfileSpec;
  /** The catalogue model's engine settings, which the deployment's own override. */
  catalogueEngine: EngineSettings | undefined;
  /** The highest rank of the LoRA adapters; undefined while it is not known. */
  adapterRank?: number | undefined;
  /** What to send as `spec.replicas`; undefined once the scaler owns the field. */
  replicas: number | undefined;
  strategy: { maxSurge: number; maxUnavailable: number };
  install: InstallSettings;
}

const restrictedContainer = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
};

/** Returns the Deployment to apply for `input`. */
export function buildDeployment(input: DeploymentInput): Deployment {
  const { resource, replicas, strategy } = input;
  const spec = effectiveSpec(resource.spec);
  const labels = replicaLabels(resource);
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
          ...(spec.restartedAt === undefined ? {} : { annotations: { [RESTARTED_AT_ANNOTATION]: spec.restartedAt } }),
        },
        spec: podSpec(input),
      },
    },
  };
}

function podSpec(input: DeploymentInput): PodSpec {
  const { profile, resource } = input;
  const spec = effectiveSpec(resource.spec);
  return {
    automountServiceAccountToken: false,
    // A Service named `vllm` would inject VLLM_PORT=tcp://..., which vLLM takes for its own setting.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: PRE_STOP_SECONDS + spec.drainTimeoutSeconds + SHUTDOWN_MARGIN_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: REPLICA_UID,
      runAsGroup: REPLICA_UID,
      fsGroup: REPLICA_UID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(spec.model.id === undefined ? {} : { initContainers: [downloadContainer(input, spec.model.id)] }),
    containers: [engineContainer(input)],
    volumes: volumes(input),
    ...placement(profile, replicaLabels(resource)),
  };
}

function placement(profile: HardwareProfileSpec, labels: Record<string, string>): Partial<PodSpec> {
  const { nodeSelector, tolerations, topologySpread, runtimeClassName, priorityClassName, imagePullSecrets } = profile;
  return {
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations: tolerations.map((toleration) => ({ ...toleration })) }),
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
    ...(imagePullSecrets && { imagePullSecrets: imagePullSecrets.map((secret) => ({ name: secret.name })) }),
  };
}

function volumes(input: DeploymentInput): Volume[] {
  const { profile, resource } = input;
  const { claim } = resource.spec.model;
  const sizeLimit = profile.modelCache?.sizeLimit;
  return [
    claim
      ? { name: 'model', persistentVolumeClaim: { claimName: claim.name, readOnly: true } }
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

/** The only container that holds the token; it ends before the engine starts. */
function downloadContainer(input: DeploymentInput, modelId: string): Container {
  const { install } = input;
  const { tokenSecretRef, revision } = input.resource.spec.model;
  const env: EnvironmentVariable[] = [
    { name: 'INFER_MODEL_ID', value: modelId },
    { name: 'INFER_MODEL_REVISION', value: revision ?? 'main' },
    { name: 'INFER_MODEL_DIRECTORY', value: MODEL_DIRECTORY },
    { name: 'HF_ENDPOINT', value: install.hubEndpoint },
  ];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) env.push({ name, value });
  };
  const sizeLimit = input.profile.modelCache?.sizeLimit;
  add('INFER_MODEL_MAX_BYTES', sizeLimit === undefined ? undefined : String(Math.floor(parseQuantity(sizeLimit))));
  add('INFER_ADAPTERS', adapterDownloads(input.resource.spec.adapters));
  add('HTTPS_PROXY', install.httpsProxy);
  add('NO_PROXY', install.noProxy);
  if (tokenSecretRef) {
    env.push({
      name: 'HF_TOKEN',
      valueFrom: { secretKeyRef: { name: tokenSecretRef.name, key: tokenSecretRef.key ?? 'token' } },
    });
  }
  return {
    name: 'download',
    image: install.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '/app/prefetch.js'],
    env,
    resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    volumeMounts: [{ name: 'model', mountPath: MODEL_DIRECTORY }],
    securityContext: restrictedContainer,
  };
}

function engineContainer(input: DeploymentInput): Container {
  const { resource, profile } = input;
  const spec = effectiveSpec(resource.spec);
  const { claim } = spec.model;
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
      modelPath: claim?.path ? `${MODEL_DIRECTORY}/${claim.path}` : MODEL_DIRECTORY,
      profile,
      settings: effectiveEngineSettings(spec.engine, input.catalogueEngine),
      drainTimeoutSeconds: spec.drainTimeoutSeconds,
      adapters: adapterArguments(resource, input.adapterRank),
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
