import { describe, expect, test } from '@jest/globals';
import type { Standing } from '../autoscaler/standing.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { ContainerStatus, DeploymentStatus, Pod } from '../api/kubernetes.ts';
import {
  hardwareProfile,
  inferenceDeployment,
  INSTALL,
  observation,
  readyPod,
  replicaPod,
  standingOf,
} from '../../test/support/resources.ts';
import type { Observation } from './gather.ts';
import { plan } from './plan.ts';
import { computeStatus, type EngineCauses } from './status.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

function statusOf(
  seen: Observation,
  applyFailure?: string,
  now = NOW,
  engineCauses: EngineCauses = new Map(),
  decision: Standing = standingOf(seen.resource),
): InferenceDeploymentStatus {
  const gatewayUrl = 'https://infer.example.com/v1';
  return computeStatus(
    {
      observation: seen,
      plan: plan(seen, INSTALL, NOW),
      decision,
      applyFailure,
      engineCauses,
      traffic: {},
      gatewayUrl,
    },
    now,
  );
}

/** `TYPE=STATUS/REASON` of each condition. */
function verdicts(status: InferenceDeploymentStatus): Record<string, string> {
  return Object.fromEntries((status.conditions ?? []).map(({ type, status: is, reason }) => [type, `${is}/${reason}`]));
}

function deploymentWith(seen: Observation, status: DeploymentStatus): Observation {
  const planned = plan(seen, INSTALL, NOW).children?.deployment;
  if (!planned) throw new Error('the plan has no Deployment');
  const deployment = { ...planned, metadata: { ...planned.metadata, generation: 1 }, status };
  return { ...seen, children: { ...seen.children, deployment } };
}

const settled: DeploymentStatus = { observedGeneration: 1, replicas: 1, updatedReplicas: 1 };
const loading = replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } });

function ofRevision(pod: Pod, revision: string, creationTimestamp: string): Pod {
  const labels = { 'pod-template-hash': revision };
  return { ...pod, metadata: { ...pod.metadata, creationTimestamp, labels } };
}

function withGpus(count: number): Pod {
  const limits = { memory: '96Gi', ...(count > 0 && { 'nvidia.com/gpu': String(count) }) };
  return { ...readyPod(), spec: { nodeName: 'node-1', containers: [{ name: 'engine', resources: { limits } }] } };
}

function named(pod: Pod, name: string): Pod {
  return { ...pod, metadata: { ...pod.metadata, name, uid: name } };
}

function pull(reason: string, message: string): Observation {
  return observation({ pods: [replicaPod({ image: 'a/b:1', state: { waiting: { reason, message } } })] });
}

describe('computeStatus', () => {
  test('says where and by which name clients reach the deployment', () => {
    expect(statusOf(observation()).endpoint).toEqual({ baseUrl: 'https://infer.example.com/v1', model: 'chat' });
  });

  test('a new deployment is accepted and not ready', () => {
    expect(verdicts(statusOf(observation()))).toEqual({
      Ready: 'False/Scheduling',
      Accepted: 'True/Valid',
      ModelResolved: 'True/PreflightOff',
      Available: 'False/Scheduling',
      ReplicasReady: 'False/Scheduling',
      Progressing: 'True/Scaling',
      ScalingActive: 'True/Active',
      ScalingLimited: 'False/NotLimited',
    });
  });

  test('one that serves is ready', () => {
    const status = statusOf(deploymentWith(observation({ pods: [readyPod()] }), settled));
    expect(verdicts(status)).toEqual({
      Ready: 'True/Serving',
      Accepted: 'True/Valid',
      ModelResolved: 'True/PreflightOff',
      Available: 'True/Serving',
      ReplicasReady: 'True/AllReady',
      Progressing: 'True/Complete',
      ScalingActive: 'True/Active',
      ScalingLimited: 'False/NotLimited',
    });
    expect(status.replicas).toEqual({
      desired: 1,
      ready: 1,
      starting: 0,
      draining: 0,
      failed: 0,
      pods: [
        {
          name: 'infer-chat-5d9f-abcde',
          uid: 'pod-1',
          readiness: 'Ready',
          node: 'node-1',
          since: '2026-01-01T00:00:00Z',
        },
      ],
    });
  });

  test('one of two replicas serving is ready below the minimum, and says what the other waits for', () => {
    const seen = observation({ resource: inferenceDeployment({ minReplicas: 2 }), pods: [readyPod(), loading] });
    expect(verdicts(statusOf(deploymentWith(seen, { ...settled, replicas: 2, updatedReplicas: 2 })))).toMatchObject({
      Ready: 'True/ServingBelowMinimum',
      ReplicasReady: 'False/Loading',
    });
  });

  test('of several problems the one that needs a person is shown', () => {
    const crashed = replicaPod({ restartCount: 9, lastState: { terminated: { exitCode: 1 } } });
    const seen = observation({ resource: inferenceDeployment({ minReplicas: 2 }), pods: [loading, crashed] });
    expect(verdicts(statusOf(seen))['Ready']).toBe('False/CrashLooping');
  });

  test('a crash loop with a known cause shows it, and status does not change while Kubernetes tries again', () => {
    const message = 'No available memory for the cache blocks. Raise engine.gpuMemoryUtilizationPercent.';
    const causes = new Map([['pod-1', { reason: 'GPUOutOfMemory' as const, message }]]);
    const terminated = { exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:01:00Z' };
    const states: Partial<ContainerStatus>[] = [
      { restartCount: 3, state: { terminated } },
      { restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated } },
      { restartCount: 4, state: { running: { startedAt: '2026-01-01T00:02:00Z' } }, lastState: { terminated } },
    ];
    const seen = states.map((engine) => {
      const status = statusOf(observation({ pods: [replicaPod(engine)] }), undefined, NOW, causes);
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', status: 'False', reason: 'GPUOutOfMemory', message }),
      );
      return status;
    });
    expect(new Set(seen.map((status) => JSON.stringify(status))).size).toBe(1);
  });

  test('a refused spec is not ready although replicas still serve', () => {
    const status = statusOf(observation({ profile: undefined, pods: [readyPod()] }));
    expect(verdicts(status)).toMatchObject({ Ready: 'False/UnknownHardwareProfile', Available: 'True/Serving' });
  });

  test('suspended is suspended, also while the last replica leaves', () => {
    const leaving = { ...readyPod(), metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const seen = observation({ resource: inferenceDeployment({ suspend: true }), pods: [leaving] });
    expect(verdicts(statusOf(seen))).toMatchObject({ Ready: 'False/Suspended', ReplicasReady: 'True/AllReady' });
  });

  test.each([
    [
      'pods "infer-chat-7d-x2x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1',
      'QuotaExceeded',
      /no room for another replica: exceeded quota: gpus/,
    ],
    [
      'pods "infer-chat-7d-x2x" is forbidden: violates PodSecurity "restricted:latest"',
      'PodsRefused',
      /refuses to create replicas: violates PodSecurity/,
    ],
  ])('ReplicaSet failure %j becomes %s without the generated name', (message, reason, says) => {
    const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
    const status = statusOf(deploymentWith(observation(), { ...settled, replicas: 0, conditions: [failure] }));
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason, message: expect.stringMatching(says) });
    expect(ready?.message).not.toMatch(/x2x/);
  });

  test('an exceeded deadline is no progress', () => {
    const late = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
    const seen = deploymentWith(observation({ pods: [loading] }), { ...settled, conditions: [late] });
    expect(verdicts(statusOf(seen))['Progressing']).toBe('False/DeadlineExceeded');
  });

  test('what is still on its way after the deadline is late, and says which field to raise', () => {
    const late = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
    const status = statusOf(deploymentWith(observation({ pods: [loading] }), { ...settled, conditions: [late] }));
    expect(verdicts(status)).toMatchObject({ Ready: 'False/StartupTimeout', Available: 'False/StartupTimeout' });
    const messages = status.conditions
      ?.filter(({ status: is, type }) => is === 'False' && type !== 'ScalingLimited')
      .map(({ message }) => message);
    expect(new Set(messages)).toEqual(new Set([expect.stringContaining('The engine loads the model. Raise')]));
  });

  test('a mended revision on its way is shown, not the failure of the one that it replaces', () => {
    const broken = replicaPod({ image: 'registry.example/nope:1', state: { waiting: { reason: 'ErrImagePull' } } });
    const pods = [ofRevision(broken, 'a', '2026-01-01T00:00:00Z'), ofRevision(loading, 'b', '2026-01-01T00:05:00Z')];
    const status = statusOf(observation({ pods }));
    expect(verdicts(status)['Ready']).toBe('False/Loading');
    expect(status.replicas).toMatchObject({ starting: 1, failed: 1 });
    expect(verdicts(statusOf(observation({ pods: pods.slice(0, 1) })))['Ready']).toBe('False/ImagePullFailed');
  });

  test('a cache that is too small is shown while the next replica downloads into it', () => {
    const message = 'Usage of EmptyDir volume "model" exceeds the limit "1Gi". ';
    const evicted = replicaPod({}, { phase: 'Failed', reason: 'Evicted', message });
    evicted.metadata = { ...evicted.metadata, creationTimestamp: '2026-01-01T00:00:00Z' };
    const status = statusOf(observation({ pods: [evicted, loading] }));
    expect(verdicts(status)['Ready']).toBe('False/DiskFull');
    expect(status.replicas).toMatchObject({ starting: 1, failed: 0 });
  });

  test('an image that cannot be pulled is told in the same words by a Kubernetes that tells the cause only once', () => {
    const first = statusOf(pull('ErrImagePull', 'dial tcp 10.0.0.1:40001: connection refused'));
    const again = pull('ImagePullBackOff', 'Back-off pulling image "a/b:1"');
    again.resource.status = first;
    expect(statusOf(again)).toEqual(first);
    const other = pull('ErrImagePull', 'dial tcp 10.0.0.1:40002: connection refused');
    other.resource.status = first;
    expect(statusOf(other)).toEqual(first);
    expect(first.conditions?.[0]).toMatchObject({ message: expect.stringContaining('10.0.0.1:40001') });
  });

  test('what Kubernetes refuses is shown', () => {
    const status = statusOf(observation(), 'Kubernetes refused a change: denied by policy');
    expect(verdicts(status)).toMatchObject({ Ready: 'False/ApplyFailed', Progressing: 'False/ApplyFailed' });
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.message).toMatch(/denied by policy/);
  });

  test('a broken new revision is said while the old one serves all that is wanted', () => {
    const broken = replicaPod({ image: 'registry.example/nope:1', state: { waiting: { reason: 'ErrImagePull' } } });
    const seen = deploymentWith(observation({ pods: [readyPod(), broken] }), { ...settled, replicas: 2 });
    expect(verdicts(statusOf(seen))).toMatchObject({
      Ready: 'True/Serving',
      ReplicasReady: 'True/AllReady',
      Progressing: 'False/ImagePullFailed',
    });
  });

  test('a new revision that is still loading is a rollout', () => {
    const seen = deploymentWith(observation({ pods: [readyPod(), loading] }), { ...settled, replicas: 2 });
    expect(verdicts(statusOf(seen))['Progressing']).toBe('True/RollingOut');
  });

  test('a rollout is not complete while replicas of both revisions stay, whatever Kubernetes has counted', () => {
    const old = { ...readyPod(), metadata: { ...readyPod().metadata, labels: { 'pod-template-hash': 'old' } } };
    const leaving = { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const ended = { ...old, status: { phase: 'Failed' } };
    const told = [[old, loading], [old], [leaving, readyPod()], [ended, readyPod()]].map(
      (pods) => verdicts(statusOf(deploymentWith(observation({ pods }), settled)))['Progressing'],
    );
    expect(told).toEqual(['True/RollingOut', 'True/Complete', 'True/Complete', 'True/Complete']);
  });

  test('a pod that a node ended long ago neither costs nor hides what its successor does', () => {
    const profile = hardwareProfile({ price: { currency: 'USD', perGpuHour: '2' } });
    const ended = replicaPod({}, { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'no device' });
    const status = statusOf(observation({ profile, pods: [ended, loading] }));
    expect(verdicts(status)['Ready']).toBe('False/Loading');
    expect(status.cost?.perHour).toBe('2.00');
    expect(status.replicas?.failed).toBe(0);
    expect(verdicts(statusOf(observation({ profile, pods: [ended] })))['Ready']).toBe('False/EndedByNode');
  });

  test('zero on purpose is ready, and so is the way back from it, unless it is stuck', () => {
    const resource = inferenceDeployment({ minReplicas: 0 });
    expect(verdicts(statusOf(observation({ resource })))).toMatchObject({
      Ready: 'True/ScaledToZero',
      Available: 'True/ScaledToZero',
      ReplicasReady: 'True/AllReady',
    });
    const waking: Standing = { replicas: 1, reason: 'Waking', message: 'A request came.' };
    const woken = (...pods: Pod[]): Record<string, string> =>
      verdicts(statusOf(observation({ resource, pods }), undefined, NOW, new Map(), waking));
    expect(woken(loading)).toMatchObject({ Ready: 'True/Waking', Available: 'True/Waking' });
    expect(woken(readyPod())).toMatchObject({ Ready: 'True/Serving' });
    expect(woken(replicaPod({ restartCount: 9, lastState: { terminated: { exitCode: 1 } } }))).toMatchObject({
      Ready: 'False/CrashLooping',
    });
  });

  test('at a minimum of zero, replicas that were serving and are gone are an outage', () => {
    const resource = inferenceDeployment({ minReplicas: 0 });
    const decision: Standing = { replicas: 4, reason: 'RequestRate', message: 'Four for nine.' };
    const after = (before: string, standing = decision, pods: Pod[] = []): string | undefined => {
      const lastTransitionTime = '2026-01-01T00:00:00Z';
      const was = { type: 'Available', status: 'True', reason: before, message: 'm', lastTransitionTime } as const;
      const seen = observation({ resource: { ...resource, status: { conditions: [was] } }, pods });
      return verdicts(statusOf(seen, undefined, NOW, new Map(), standing))['Ready'];
    };
    expect(after('Serving')).toBe('False/Scheduling');
    expect(after('Serving', decision, [loading])).toBe('False/Loading');
    expect(after('Waking')).toBe('True/Waking');
    expect(after('ScaledToZero')).toBe('True/Waking');
    expect(after('Serving', { ...decision, reason: 'Waking' })).toBe('True/Waking');
    expect(after('Serving', { ...decision, replicas: 0 })).toBe('True/ScaledToZero');
  });

  describe('of a scale-up that cannot be done', () => {
    const more: Standing = { replicas: 5, reason: 'RequestRate', message: '2 → 5: Five for nine.' };
    const scaling = { desiredReplicas: 2, reason: 'RequestRate', message: '1 → 2: Two for four.' };
    const served = (): Observation => {
      const seen = deploymentWith(observation({ pods: [readyPod()] }), settled);
      if (seen.children.deployment) seen.children.deployment.spec.replicas = 2;
      seen.resource.status = { scaling };
      return seen;
    };

    test('nothing is told while the spec is refused', () => {
      const status = statusOf({ ...served(), profile: undefined }, undefined, NOW, new Map(), more);
      expect(status.scaling).toEqual({
        desiredReplicas: 2,
        reason: 'RequestRate',
        message: expect.stringMatching(/^Holds/),
      });
      expect(status.replicas?.desired).toBe(2);
    });

    test('only the refusal is told where the API server refuses it', () => {
      const status = statusOf(served(), 'Kubernetes refused a change: denied by policy', NOW, new Map(), more);
      expect(status.scaling).toEqual(scaling);
      expect(verdicts(status)).toMatchObject({ ReplicasReady: 'False/ApplyFailed' });
    });

    test('it is told once it is done', () => {
      const status = statusOf(served(), undefined, NOW, new Map(), more);
      expect(status.scaling).toMatchObject({ desiredReplicas: 5, recent: [{ from: 2, to: 5 }] });
    });
  });

  test("another controller's condition is not sent along", () => {
    const seen = observation();
    const foreign = {
      type: 'Audited',
      status: 'True',
      reason: 'Fine',
      message: 'm',
      lastTransitionTime: NOW.toISOString(),
    } as const;
    seen.resource.status = { conditions: [foreign] };
    expect(Object.keys(verdicts(statusOf(seen)))).not.toContain('Audited');
  });

  test('a later pass over the same state changes nothing, so nothing is written', () => {
    const seen = deploymentWith(observation({ pods: [loading] }), settled);
    const first = statusOf(seen);
    seen.resource.status = first;
    expect(statusOf(seen, undefined, new Date('2026-01-02T00:00:00Z'))).toEqual(first);
  });

  test('cost counts the replicas that hold a GPU', () => {
    const profile = hardwareProfile({
      accelerator: { resource: 'nvidia.com/gpu', count: 2, memoryGiB: 80 },
      price: { currency: 'EUR', perGpuHour: '1.80' },
    });
    const waiting = {
      metadata: { name: 'w' },
      status: { conditions: [{ type: 'PodScheduled', status: 'False', message: '1 Insufficient nvidia.com/gpu' }] },
    };
    const cost = (pods: Pod[]): string | undefined => statusOf(observation({ profile, pods })).cost?.perHour;
    expect(cost([withGpus(2), waiting])).toBe('3.60');
    // Made before the profile was edited, it has what it has.
    expect(cost([withGpus(2), withGpus(4)])).toBe('10.80');
    expect(cost([withGpus(0)])).toBe('1.80');
  });

  test('the list of replicas agrees with the counts, and begins with those that cannot run', () => {
    const crashed = replicaPod({ restartCount: 9, lastState: { terminated: { exitCode: 1 } } });
    const leaving = readyPod();
    leaving.metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    const waiting = { metadata: { name: 'w', uid: 'w', creationTimestamp: '2025-12-31T00:00:00Z' }, status: {} };
    const many = Array.from({ length: 70 }, (_, index) => named(readyPod(), `ready-${index}`));
    const pods = [...many, named(leaving, 'leaving'), named(loading, 'loading'), waiting, named(crashed, 'crashed')];
    const { pods: list, ...counts } = statusOf(observation({ pods })).replicas ?? {};
    expect(counts).toMatchObject({ ready: 70, starting: 2, draining: 1, failed: 1 });
    expect(list).toHaveLength(64);
    expect(list?.slice(0, 5).map(({ name, readiness, reason }) => [name, readiness, reason])).toEqual([
      ['crashed', 'Failed', 'CrashLooping'],
      ['loading', 'Starting', 'Loading'],
      ['w', 'Starting', 'Scheduling'],
      ['leaving', 'Draining', 'Draining'],
      ['ready-0', 'Ready', undefined],
    ]);
    expect(list?.[2]).toEqual({
      name: 'w',
      uid: 'w',
      readiness: 'Starting',
      reason: 'Scheduling',
      since: '2025-12-31T00:00:00Z',
    });
  });

  test('one that is chosen to go is shown as leaving while it serves', () => {
    const marked = readyPod();
    marked.metadata = { ...marked.metadata, annotations: { 'infer.dev/draining-since': '2026-01-01T00:00:00Z' } };
    expect(statusOf(observation({ pods: [marked] })).replicas).toMatchObject({
      draining: 1,
      pods: [{ readiness: 'Draining', reason: 'Draining' }],
    });
  });
});
