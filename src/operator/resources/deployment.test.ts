import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL } from '../../../test/support/resources.ts';
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { Container, Deployment, PodSpec } from '../../api/kubernetes.ts';
import { SURGE } from '../rollout.ts';
import { buildDeployment } from './deployment.ts';
import type { EngineSettings } from './engine.ts';

function build(
  spec: Partial<InferenceDeploymentSpec> = {},
  profile: Partial<HardwareProfileSpec> = {},
  catalogueEngine?: EngineSettings,
): Deployment {
  return buildDeployment({
    resource: inferenceDeployment(spec),
    profile: hardwareProfile(profile).spec,
    catalogueEngine,
    replicas: 0,
    strategy: SURGE,
    install: INSTALL,
  });
}

function podOf(deployment: Deployment): PodSpec {
  return deployment.spec.template.spec;
}

function engineOf(deployment: Deployment): Container {
  return podOf(deployment).containers[0] as Container;
}

describe('buildDeployment', () => {
  test('the token is in the environment of the download container and nowhere else', () => {
    const deployment = build({ model: { id: 'org/gated', tokenSecretRef: { name: 'hf', key: 'token' } } });
    const download = podOf(deployment).initContainers?.[0];
    expect(download?.env).toContainEqual({
      name: 'HF_TOKEN',
      valueFrom: { secretKeyRef: { name: 'hf', key: 'token' } },
    });
    expect(JSON.stringify(podOf(deployment).containers)).not.toMatch(/HF_TOKEN|secretKeyRef/);
    expect(podOf(deployment).volumes.some((volume) => 'secret' in volume)).toBe(false);
  });

  test('the download knows the limit of its cache in bytes and the proxy of the install', () => {
    const limited = buildDeployment({
      resource: inferenceDeployment(),
      profile: hardwareProfile({ modelCache: { sizeLimit: '1.5Gi' } }).spec,
      catalogueEngine: undefined,
      replicas: 0,
      strategy: SURGE,
      install: { ...INSTALL, httpsProxy: 'http://proxy.example:3128', noProxy: '.svc' },
    });
    const added = [
      { name: 'INFER_MODEL_MAX_BYTES', value: '1610612736' },
      { name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' },
      { name: 'NO_PROXY', value: '.svc' },
    ];
    expect(podOf(limited).initContainers?.[0]?.env).toEqual(expect.arrayContaining(added));
    expect(JSON.stringify(podOf(build()))).not.toMatch(/INFER_MODEL_MAX_BYTES|PROXY/);
  });

  test('every container meets Pod Security "restricted" with a read-only root', () => {
    const pod = podOf(build());
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.automountServiceAccountToken).toBe(false);
    for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
      });
    }
  });

  test('the grace period covers the preStop sleep, the drain and a margin', () => {
    const deployment = build({ drainTimeoutSeconds: 30 });
    expect(podOf(deployment).terminationGracePeriodSeconds).toBe(5 + 30 + 10);
    expect(engineOf(deployment).args).toContain('--shutdown-timeout=30');
    expect(engineOf(deployment).lifecycle?.preStop.sleep.seconds).toBe(5);
  });

  test('a profile of four GPUs requests four and splits the model over them', () => {
    const deployment = build({}, { accelerator: { resource: 'nvidia.com/gpu', count: 4, memoryGiB: 80 } });
    expect(engineOf(deployment).resources.limits?.['nvidia.com/gpu']).toBe('4');
    expect(engineOf(deployment).args).toContain('--tensor-parallel-size=4');
  });

  test('a CPU profile requests no GPU', () => {
    const { accelerator: _none, ...cpu } = hardwareProfile().spec;
    const deployment = buildDeployment({
      resource: inferenceDeployment(),
      profile: cpu,
      catalogueEngine: undefined,
      replicas: 0,
      strategy: SURGE,
      install: INSTALL,
    });
    expect(Object.keys(engineOf(deployment).resources.limits ?? {})).toEqual(['memory']);
    expect(engineOf(deployment).args?.join(' ')).not.toMatch(/tensor-parallel/);
  });

  test("the user's engine settings come after the profile's arguments and override the catalogue's", () => {
    const deployment = build(
      { engine: { maxModelLen: 4096, gpuMemoryUtilizationPercent: 90 } },
      { args: ['--max-model-len=1024', '--enable-chunked-prefill'] },
      { maxModelLen: 2048, dtype: 'bfloat16' },
    );
    const flags = engineOf(deployment).args ?? [];
    expect(flags.lastIndexOf('--max-model-len=4096')).toBeGreaterThan(flags.indexOf('--max-model-len=1024'));
    expect(flags).not.toContain('--max-model-len=2048');
    expect(flags).toEqual(expect.arrayContaining(['--dtype=bfloat16', '--gpu-memory-utilization=0.90']));
  });

  test('a claim is mounted read-only, nothing is downloaded', () => {
    const deployment = build({ model: { claim: { name: 'weights', path: 'llama/8b' } } });
    expect(podOf(deployment).initContainers).toBeUndefined();
    expect(podOf(deployment).volumes).toContainEqual({
      name: 'model',
      persistentVolumeClaim: { claimName: 'weights', readOnly: true },
    });
    expect(engineOf(deployment).args?.[0]).toBe('/var/lib/infer/model/llama/8b');
  });

  test('`replicas` is left out once the scaler owns it', () => {
    const deployment = buildDeployment({
      resource: inferenceDeployment(),
      profile: hardwareProfile().spec,
      catalogueEngine: undefined,
      replicas: undefined,
      strategy: SURGE,
      install: INSTALL,
    });
    expect('replicas' in deployment.spec).toBe(false);
  });

  test('the startup timeout bounds the startup probe and the progress deadline', () => {
    const deployment = build({ startupTimeoutSeconds: 601 });
    const probe = engineOf(deployment).startupProbe;
    expect((probe?.failureThreshold ?? 0) * (probe?.periodSeconds ?? 0)).toBeGreaterThanOrEqual(601);
    expect(deployment.spec.progressDeadlineSeconds).toBe(601);
  });

  test("a user's pod label never replaces one of Infer's", () => {
    const deployment = build({ podLabels: { 'cost-center': 'x', 'infer.dev/component': 'other' } });
    expect(deployment.spec.template.metadata.labels).toMatchObject({
      'cost-center': 'x',
      'infer.dev/component': 'replica',
    });
  });

  test('`restartedAt` changes the template and nothing else does so on its own', () => {
    expect(build()).toEqual(build());
    const restarted = build({ restartedAt: '2026-01-01T00:00:00Z' });
    expect(restarted.spec.template.metadata.annotations).toEqual({ 'infer.dev/restarted-at': '2026-01-01T00:00:00Z' });
    expect(restarted.spec.template.spec).toEqual(build().spec.template.spec);
  });

  test('the selector tells a re-created resource from its predecessor', () => {
    const again = inferenceDeployment();
    again.metadata.uid = 'uid-second';
    const deployment = buildDeployment({
      resource: again,
      profile: hardwareProfile().spec,
      catalogueEngine: undefined,
      replicas: 0,
      strategy: SURGE,
      install: INSTALL,
    });
    expect(deployment.spec.selector).not.toEqual(build().spec.selector);
  });
});
