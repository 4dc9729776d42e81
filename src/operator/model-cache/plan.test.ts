import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL, observation } from '../../../test/support/resources.ts';
import type { HardwareProfile } from '../../api/generated/hardware-profile.ts';
import type { Deployment, DeploymentStatus, Job, PersistentVolumeClaim, Pod } from '../../api/kubernetes.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Observation } from '../gather.ts';
import { buildDeployment } from '../resources/deployment.ts';
import type { KnownModel } from '../resources/model-files.ts';
import { notShareable, planCache, type CachePlan } from './plan.ts';

const COMMIT = '0e9e39f249a16976918f6564b8830bc894c89659';
const NOW = new Date('2026-01-01T00:01:00Z');
const known = { commit: COMMIT };
const newer = { commit: 'f'.repeat(40) };
const claim = { size: '500Gi', storageClassName: 'shared' } as const;
const profile = hardwareProfile({
  modelCache: { type: 'PersistentVolumeClaim', claim },
  nodeSelector: { zone: 'a' },
  tolerations: [{ key: 'gpu', operator: 'Exists' }],
});

function deploymentOf(resource: InferenceDeployment, model: KnownModel, on = profile): Deployment {
  return buildDeployment({
    resource,
    profile: on.spec,
    catalogueEngine: undefined,
    replicas: 1,
    strategy: { maxSurge: 1, maxUnavailable: 0 },
    known: model,
    install: INSTALL,
  });
}

const CLAIM: PersistentVolumeClaim = {
  metadata: { name: 'infer-chat-models', uid: 'claim-1' },
  spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '500Gi' } } },
};

/** With a claim, unless `parts` have other children. */
function seen(parts: Partial<Observation>): Observation {
  const usual = observation();
  return { ...usual, children: { ...usual.children, cacheClaim: CLAIM }, ...parts };
}

/** The cache of the pods that are made of this model. */
function cacheOf(parts: Partial<Observation>, model: KnownModel, on = profile): CachePlan {
  const observed = seen(parts);
  return planCache(observed, on, deploymentOf(observed.resource, model, on).spec.template, INSTALL, NOW);
}

function planned(parts: Partial<Observation> = {}, model: KnownModel = known): CachePlan & { job: Job } {
  const cache = cacheOf(parts, model);
  if (cache.job === undefined) throw new Error('there is no Job');
  return { ...cache, job: cache.job };
}

function live(job: Job, finished = false): Job {
  const conditions = finished ? [{ type: 'Complete', status: 'True' }] : [];
  return { ...job, metadata: { ...job.metadata, uid: `uid of ${job.metadata.name}` }, status: { conditions } };
}

function env(job: Job): Record<string, string | undefined> {
  const [container] = job.spec.template.spec.containers;
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
}

function folderOf({ job }: { job: Job }): string {
  return env(job)['INFER_MODEL_DIRECTORY']?.split('/').at(-1) ?? 'none';
}

/** The deployment as it serves the model that is `known`. */
function running(status: DeploymentStatus): Partial<Observation> {
  const deployment: Deployment = { ...deploymentOf(inferenceDeployment(), known), status };
  deployment.metadata.generation = 3;
  return { children: { ...observation().children, cacheClaim: CLAIM, deployment } };
}

describe('planCache', () => {
  test('there is none for an emptyDir, nor for a model that comes from a volume; a Job of before goes', () => {
    const before = live(planned().job);
    expect(cacheOf({ jobs: [before] }, known, hardwareProfile())).toEqual({ obsolete: [before] });
    const resource = inferenceDeployment({ model: { claim: { name: 'weights' } } });
    expect(cacheOf({ resource }, known)).toEqual({ obsolete: [] });
  });

  test('the Job waits for the claim, and another claim, empty as it is, has another Job', () => {
    const first = cacheOf({ children: observation().children }, known);
    expect(first).toMatchObject({ claim: { kind: 'PersistentVolumeClaim' }, problem: { reason: 'Downloading' } });
    expect(first.job).toBeUndefined();
    const lost = { ...CLAIM, metadata: { ...CLAIM.metadata, uid: 'claim-2' } };
    const again = planned({ children: { ...observation().children, cacheClaim: lost } });
    expect(again.job.metadata.name).not.toBe(planned().job.metadata.name);
  });

  test('a Job that Kubernetes gave up has brought nothing', () => {
    const failed = live(planned().job, true);
    failed.status = { conditions: [{ type: 'Failed', status: 'True' }] };
    expect(planned({ jobs: [failed] }).problem).toBeDefined();
  });

  test("the claim is the deployment's own, and a Job fills it where the GPUs are, without one", () => {
    const cache = planned();
    expect(cache.claim).toMatchObject({
      metadata: { name: 'infer-chat-models', ownerReferences: [{ uid: 'uid-chat', controller: true }] },
      spec: {
        accessModes: ['ReadWriteMany'],
        storageClassName: 'shared',
        resources: { requests: { storage: '500Gi' } },
      },
    });
    const { spec } = cache.job.spec.template;
    expect(spec).toMatchObject({ nodeSelector: { zone: 'a' }, tolerations: [{ key: 'gpu' }] });
    expect(JSON.stringify(spec)).not.toContain('nvidia.com/gpu');
    expect(env(cache.job)).toMatchObject({
      INFER_MODEL_REVISION: COMMIT,
      INFER_MODEL_DIRECTORY: expect.stringMatching(/^\/var\/lib\/infer\/model\/[0-9a-f]{16}$/),
      INFER_KEEP_FOLDERS: folderOf(cache),
    });
  });

  test('replicas wait until the Job has ended well, and then read its folder without downloading', () => {
    const first = planned();
    expect(first.problem?.reason).toBe('Downloading');
    expect(planned({ jobs: [live(first.job)] }).problem?.reason).toBe('Downloading');
    const filled = planned({ jobs: [live(first.job, true)] });
    expect(filled.problem).toBeUndefined();
    const { children } = running({});
    const template = children?.deployment?.spec.template.spec;
    expect(template?.initContainers).toBeUndefined();
    expect(template?.volumes[0]).toEqual({
      name: 'model',
      persistentVolumeClaim: { claimName: 'infer-chat-models', readOnly: true },
    });
    expect(template?.containers[0]?.args?.[0]).toBe(`/var/lib/infer/model/${folderOf(filled)}`);
  });

  test('why a download fails is said', () => {
    const job = live(planned().job);
    const message = JSON.stringify({ reason: 'DiskFull', message: 'The volume is full.' });
    const pod: Pod = {
      metadata: {
        name: 'p',
        ownerReferences: [
          { apiVersion: 'batch/v1', kind: 'Job', name: job.metadata.name, uid: job.metadata.uid ?? '' },
        ],
      },
      status: {
        containerStatuses: [
          { name: 'download', ready: false, restartCount: 1, lastState: { terminated: { exitCode: 1, message } } },
        ],
      },
    };
    expect(planned({ jobs: [job], jobPods: [pod] }).problem).toEqual({
      reason: 'DiskFull',
      message: 'The volume is full.',
    });
  });

  test('a new model has a Job and a folder of its own; the Job of the old one goes, its folder stays while it is read', () => {
    const before = planned();
    const settled = running({ observedGeneration: 3, replicas: 1, updatedReplicas: 1 });
    const next = planned({ ...settled, jobs: [live(before.job, true)] }, newer);
    expect(next.job.metadata.name).not.toBe(before.job.metadata.name);
    expect(next.obsolete.map(({ metadata }) => metadata.name)).toEqual([before.job.metadata.name]);
    expect(env(next.job)['INFER_KEEP_FOLDERS']).toBe([folderOf(next), folderOf(before)].toSorted().join(','));
  });

  test('adapters have folders of their own, and a new one does not bring the model again', () => {
    const adapters = [{ name: 'sql', id: 'org/lora' }];
    const more = planned({ ...running({}), resource: inferenceDeployment({ adapters }) });
    expect(folderOf(more)).toBe(folderOf(planned()));
    const [download] = JSON.parse(env(more.job)['INFER_ADAPTERS'] ?? '[]') as { directory: string }[];
    expect(download?.directory).toMatch(/^\/var\/lib\/infer\/model\/[0-9a-f]{16}$/);
    expect(download?.directory).not.toContain(folderOf(more));
    expect(more.job.metadata.name).not.toBe(planned().job.metadata.name);
  });

  test('while a rollout is under way no folder is removed', () => {
    const rolling = running({ observedGeneration: 3, replicas: 2, updatedReplicas: 1 });
    expect(env(planned(rolling, newer).job)).not.toHaveProperty('INFER_KEEP_FOLDERS');
    const unseen = running({ observedGeneration: 2, replicas: 1, updatedReplicas: 1 });
    expect(env(planned(unseen, newer).job)).not.toHaveProperty('INFER_KEEP_FOLDERS');
    // The Deployment's counts come later than the pods.
    const settled = running({ observedGeneration: 3, replicas: 1, updatedReplicas: 1 });
    const pods = ['old', 'next'].map((hash): Pod => ({
      metadata: { name: hash, labels: { 'pod-template-hash': hash } },
    }));
    expect(env(planned({ ...settled, pods }, newer).job)).not.toHaveProperty('INFER_KEEP_FOLDERS');
  });
});

function said(on: HardwareProfile, madeOn = on, cacheClaim?: PersistentVolumeClaim): string | undefined {
  const resource = inferenceDeployment();
  const observed = observation({ resource, children: { ...observation().children, cacheClaim } });
  return notShareable(observed, on, deploymentOf(resource, known, madeOn).spec.template);
}

describe('notShareable', () => {
  const once = hardwareProfile({
    modelCache: { type: 'PersistentVolumeClaim', claim: { ...claim, accessMode: 'ReadWriteOnce' } },
  });
  const oneNode = { ...once, spec: { ...once.spec, nodeSelector: { 'kubernetes.io/hostname': 'gpu-1' } } };

  test('a volume of one node is refused where nothing keeps replicas and download there', () => {
    expect(said(once)).toContain('Choose another profile');
    expect(said(oneNode)).toBeUndefined();
    expect(said(profile)).toBeUndefined();
  });

  test('what counts is the claim that there is, whatever the profile says now', () => {
    expect(said(once, once, CLAIM)).toBeUndefined();
    const own = { ...CLAIM, spec: { ...CLAIM.spec, accessModes: ['ReadWriteOnce'] } };
    expect(said(profile, profile, own)).toBeDefined();
  });

  test('pods that were made without a cache need not share the one that the profile has now', () => {
    expect(said(once, hardwareProfile())).toBeUndefined();
  });
});
