/** Builders of the objects that unit tests start from; each takes what differs. */
import type { HardwareProfile, HardwareProfileSpec } from '../../src/api/generated/hardware-profile.ts';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import type { ContainerStatus, Pod } from '../../src/api/kubernetes.ts';
import { effectiveSpec } from '../../src/api/defaults.ts';
import { atFloor, SUSPENDED, targetsOf, type Standing } from '../../src/autoscaler/standing.ts';
import type { Observation } from '../../src/operator/gather.ts';

export const INSTALL = {
  namespace: 'infer-system',
  image: 'localhost/infer:dev',
  hubEndpoint: 'https://huggingface.co',
  preflight: false,
};

/** An InferenceDeployment `chat` in namespace `team-a` with the given fields of spec. */
export function inferenceDeployment(spec: Partial<InferenceDeploymentSpec> = {}): InferenceDeployment {
  return {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceDeployment',
    metadata: { name: 'chat', namespace: 'team-a', uid: 'uid-chat', generation: 1 },
    spec: { model: { id: 'org/model' }, ...spec },
  };
}

/** A profile of one A100 with the given fields of spec. */
export function hardwareProfile(spec: Partial<HardwareProfileSpec> = {}): HardwareProfile {
  return {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'HardwareProfile',
    metadata: { name: 'gpu.a100', namespace: INSTALL.namespace },
    spec: {
      accelerator: { resource: 'nvidia.com/gpu', count: 1, memoryGiB: 80 },
      image: 'registry.example/vllm:v0.32.0',
      resources: { requests: { cpu: '4', memory: '32Gi' }, limits: { memory: '64Gi' } },
      ...spec,
    },
  };
}

/** What is seen of a deployment that was just created. */
export function observation(parts: Partial<Observation> = {}): Observation {
  return {
    resource: inferenceDeployment(),
    lostAlias: undefined,
    profile: hardwareProfile(),
    catalogueEngine: undefined,
    isCatalogued: false,
    children: {
      deployment: undefined,
      service: undefined,
      disruptionBudget: undefined,
      networkPolicy: undefined,
      cacheClaim: undefined,
    },
    revisions: [],
    pods: [],
    jobs: [],
    jobPods: [],
    ...parts,
  };
}

const SCHEDULED = { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };

/** A scheduled replica whose download is done and whose engine is in the given state. */
export function replicaPod(engine: Partial<ContainerStatus>, status: Partial<NonNullable<Pod['status']>> = {}): Pod {
  return {
    metadata: { name: 'infer-chat-5d9f-abcde', namespace: 'team-a', uid: 'pod-1' },
    spec: { nodeName: 'node-1' },
    status: {
      phase: 'Pending',
      conditions: [SCHEDULED, { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      initContainerStatuses: [
        { name: 'download', ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } },
      ],
      containerStatuses: [{ name: 'engine', ready: false, restartCount: 0, ...engine }],
      ...status,
    },
  };
}

/** A replica that serves. */
export function readyPod(): Pod {
  return replicaPod(
    { ready: true, state: { running: { startedAt: '2026-01-01T00:00:10Z' } } },
    { phase: 'Running', conditions: [SCHEDULED, { type: 'Ready', status: 'True' }] },
  );
}

/** What stands for a deployment without load. */
export function standingOf({ spec }: InferenceDeployment): Standing {
  return spec.suspend ? SUSPENDED : atFloor(targetsOf(effectiveSpec(spec)));
}
