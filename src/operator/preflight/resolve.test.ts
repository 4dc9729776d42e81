import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL, observation } from '../../../test/support/resources.ts';
import type { InferenceDeploymentSpec, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import type { ContainerStatus, Job, Pod } from '../../api/kubernetes.ts';
import type { Observation } from '../gather.ts';
import { formatResult } from '../../preflight/result.ts';
import { modelHash, modelMisfit, resolveModel, type ModelResolution } from './resolve.ts';

const NOW = new Date('2026-01-01T00:01:00Z');
const COMMIT = '0e9e39f249a16976918f6564b8830bc894c89659';
const FACTS = {
  commit: COMMIT,
  weightBytes: 16_060_522_496,
  totalBytes: 16_070_000_000,
  contextLength: 131_072,
  gated: true,
  license: 'llama3.1',
  architecture: 'LlamaForCausalLM',
  dtype: 'bfloat16',
  attention: { layers: 32, kvHeads: 8, headDim: 128 },
  adapters: [],
};
const on = { ...INSTALL, preflight: true };

function resolve(parts: Partial<Observation> = {}, settings = on): ModelResolution {
  return resolveModel(observation(parts), hardwareProfile(), settings, NOW);
}

function ofSpec(
  spec: Partial<InferenceDeploymentSpec>,
  model?: InferenceDeploymentStatus['model'],
): Partial<Observation> {
  const resource = inferenceDeployment(spec);
  return { resource: { ...resource, ...(model && { status: { model } }) } };
}

/** The Job that is to be had, as Kubernetes has it. */
function liveJob(parts: Partial<Observation> = {}, finishedAt?: string): Job {
  const { job } = resolve(parts);
  if (job === undefined) throw new Error('no Job is to be had');
  const end = { type: 'Complete', status: 'True', lastTransitionTime: finishedAt ?? '' };
  const conditions = finishedAt === undefined ? [] : [end];
  return { ...job, metadata: { ...job.metadata, uid: 'job-1' }, status: { conditions } };
}

function podOf(container: Partial<ContainerStatus>, status: Partial<NonNullable<Pod['status']>> = {}): Pod {
  return {
    metadata: {
      name: 'infer-chat-check-1',
      namespace: 'team-a',
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'x', uid: 'job-1', controller: true }],
    },
    status: { containerStatuses: [{ name: 'preflight', ready: false, restartCount: 0, ...container }], ...status },
  };
}

function endedWith(message: string, exitCode: number, reason = 'Completed'): Partial<ContainerStatus> {
  return { state: { terminated: { exitCode, reason, message } } };
}

describe('resolveModel', () => {
  test('a new model is looked up, and no replica is started meanwhile', () => {
    const { verdict, problem, job, obsolete, model } = resolve();
    expect(verdict).toMatchObject({ status: 'Unknown', reason: 'Resolving' });
    expect(problem?.reason).toBe('Resolving');
    expect(job?.metadata.name).toMatch(/^infer-chat-check-[0-9a-f]{6}$/);
    expect({ obsolete, model }).toEqual({ obsolete: [], model: undefined });
  });

  test('what the Job found out goes to the status, with the commit for every replica', () => {
    const pod = podOf(endedWith(JSON.stringify({ facts: FACTS }), 0));
    const found = resolve({ jobs: [liveJob({}, '2026-01-01T00:00:20Z')], jobPods: [pod] });
    expect(found.verdict).toMatchObject({ status: 'True', reason: 'Resolved' });
    expect(found).toMatchObject({ known: { commit: COMMIT }, obsolete: [] });
    expect(found.problem).toBeUndefined();
    const { totalBytes: _bytes, adapters: _adapters, ...shown } = FACTS;
    expect(found.model).toEqual({ specHash: modelHash(inferenceDeployment()), ...shown });
  });

  test('adapters are looked up with the model, and pinned like it', () => {
    const parts = ofSpec({ adapters: [{ name: 'sql', id: 'org/lora', revision: 'v1' }] });
    const job = liveJob(parts);
    const [container] = job.spec.template.spec.containers;
    const asked = container?.env?.find(({ name }) => name === 'INFER_ADAPTERS')?.value ?? '';
    expect(JSON.parse(asked)).toEqual([{ name: 'sql', id: 'org/lora', revision: 'v1' }]);
    const adapters = [{ name: 'sql', commit: 'f'.repeat(40), bytes: 1_000, rank: 16 }];
    const pod = podOf(endedWith(formatResult({ facts: { ...FACTS, adapters } }), 0));
    const { model } = resolve({ ...parts, jobs: [job], jobPods: [pod] });
    expect(model?.adapters).toEqual([{ name: 'sql', commit: 'f'.repeat(40), rank: 16 }]);
  });

  test('what is known is not asked again while the spec asks for the same', () => {
    const specHash = modelHash(inferenceDeployment());
    const model = { specHash, commit: COMMIT, architecture: 'LlamaForCausalLM' };
    expect(resolve(ofSpec({}, model))).toMatchObject({ verdict: { reason: 'Resolved' }, known: model, model });
    expect(resolve(ofSpec({ maxReplicas: 4, engine: { maxNumSeqs: 8 } }, model)).job).toBeUndefined();
    expect(resolve(ofSpec({ model: { id: 'org/model', tokenSecretRef: { name: 's' } } }, model)).job).toBeUndefined();
  });

  test.each<[string, Partial<InferenceDeploymentSpec>]>([
    ['another model', { model: { id: 'org/other' } }],
    ['another revision', { model: { id: 'org/model', revision: 'v2' } }],
    ['another adapter', { adapters: [{ name: 'sql', id: 'org/lora' }] }],
    ['a restart that was asked for', { restartedAt: '2026-01-01T00:00:00Z' }],
  ])('%s is looked up; what is known of the former stays in the status until then', (_what, spec) => {
    const model = { specHash: modelHash(inferenceDeployment()), commit: COMMIT };
    const found = resolve(ofSpec(spec, model));
    expect(found).toMatchObject({ verdict: { reason: 'Resolving' }, model });
    expect(found.known).toBeUndefined();
    expect(found.job?.metadata.name).not.toBe(liveJob().metadata.name);
  });

  test('the Job that gave the answer is left to end', () => {
    const model = { specHash: modelHash(inferenceDeployment()), commit: COMMIT };
    expect(resolve({ ...ofSpec({}, model), jobs: [liveJob()] }).obsolete).toEqual([]);
  });

  test('a Job of a former question goes, one that has ended is left to be looked at', () => {
    const running = { ...liveJob(ofSpec({ model: { id: 'org/other' } })), metadata: { name: 'old', uid: 'job-0' } };
    const ended = { ...liveJob({}, '2026-01-01T00:00:20Z'), metadata: { name: 'older', uid: 'job-9' } };
    expect(resolve({ jobs: [running, ended, liveJob()] }).obsolete).toEqual([running]);
  });

  test('a Job that ended without an answer is made again', () => {
    const job = liveJob({}, '2026-01-01T00:00:20Z');
    expect(resolve({ jobs: [job], jobPods: [] }).obsolete).toEqual([job]);
    const text = podOf(endedWith('{"facts":{}}', 0));
    const said = resolve({ jobs: [job], jobPods: [text] });
    expect(said).toMatchObject({ verdict: { status: 'False', reason: 'PreflightFailed' }, obsolete: [job] });
    const just = liveJob({}, '2026-01-01T00:00:50Z');
    expect(resolve({ jobs: [just], jobPods: [text] })).toMatchObject({ obsolete: [], lookAgainMs: 20_000 });
  });

  test('a resource made again under its name has Jobs of its own', () => {
    const again = inferenceDeployment();
    again.metadata.uid = 'uid-second';
    expect(resolve({ resource: again }).job?.metadata.name).not.toBe(liveJob().metadata.name);
  });

  test.each([
    ['ModelNotFound', 'ModelNotFound'],
    ['RevisionNotFound', 'ModelNotFound'],
    ['ModelGated', 'ModelGated'],
    ['TokenInvalid', 'TokenInvalid'],
    ['NoSafetensors', 'ModelRefused'],
    ['HubUnreachable', 'HubUnreachable'],
  ])('a look-up that ended with %s shows %s, also while it is tried again', (said, shown) => {
    const message = JSON.stringify({ failure: { reason: said, message: 'The hub says so. hf_aaaaaaaaaaaaaaaa' } });
    const end = { exitCode: 1, reason: 'Error', message };
    const attempts: Partial<ContainerStatus>[] = [
      { state: { terminated: end } },
      { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: end } },
      { state: { running: {} }, lastState: { terminated: end } },
    ];
    for (const attempt of attempts) {
      const { verdict, problem } = resolve({ jobs: [liveJob()], jobPods: [podOf(attempt)] });
      expect(verdict).toEqual({ status: 'False', reason: shown, message: 'The hub says so. hf_***' });
      expect(problem?.reason).toBe(shown);
    }
  });

  test('a missing token Secret is said before anything is asked', () => {
    const parts = ofSpec({ model: { id: 'org/model', tokenSecretRef: { name: 'hf-token' } } });
    const waiting = { reason: 'CreateContainerConfigError', message: 'secret "hf-token" not found' };
    const found = resolve({ ...parts, jobs: [liveJob(parts)], jobPods: [podOf({ state: { waiting } })] });
    expect(found.verdict).toMatchObject({ status: 'False', reason: 'TokenMissing' });
    expect(found.verdict.message).toContain('create secret generic hf-token');
  });

  test('a Job that Kubernetes makes no pod for says where the reason stands', () => {
    const job = liveJob();
    job.metadata.creationTimestamp = '2026-01-01T00:00:55Z';
    expect(resolve({ jobs: [job] })).toMatchObject({ verdict: { reason: 'Resolving' }, lookAgainMs: 10_000 });
    job.metadata.creationTimestamp = '2026-01-01T00:00:30Z';
    const { verdict } = resolve({ jobs: [job] });
    expect(verdict).toMatchObject({ status: 'False', reason: 'PodsRefused' });
    expect(verdict.message).toContain(`kubectl -n team-a describe job ${job.metadata.name}`);
  });

  test('the pod of another Job says nothing', () => {
    const pod = podOf(endedWith(JSON.stringify({ facts: FACTS }), 0));
    pod.metadata.ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'y', uid: 'job-2', controller: true }];
    expect(resolve({ jobs: [liveJob()], jobPods: [pod] }).verdict.reason).toBe('Resolving');
  });

  test('facts of a container that failed all the same are not taken', () => {
    const pod = podOf(endedWith(JSON.stringify({ facts: FACTS }), 137, 'OOMKilled'));
    expect(resolve({ jobs: [liveJob()], jobPods: [pod] }).verdict.reason).not.toBe('Resolved');
  });

  test.each([
    ['a volume', ofSpec({ model: { claim: { name: 'weights' } } }), on],
    ['an install without a hub', {}, INSTALL],
  ])('from %s a model is started unseen', (_what, parts, settings) => {
    const found = resolve(parts, settings);
    expect(found.verdict).toMatchObject({ status: 'True', reason: 'PreflightOff' });
    expect(found.job ?? found.problem ?? found.known).toBeUndefined();
  });
});

describe('modelMisfit', () => {
  test('a class that vLLM does not have is refused, unless the platform team vouches for the model', () => {
    const known = { commit: COMMIT, architecture: 'NeverHeardOfForCausalLM' };
    expect(modelMisfit(observation(), hardwareProfile(), known)?.reason).toBe('UnsupportedArchitecture');
    expect(modelMisfit(observation({ isCatalogued: true }), hardwareProfile(), known)).toBeUndefined();
  });

  test('a model that cannot fit is refused, and accepted with a larger profile', () => {
    const known = { ...FACTS, adapters: [], weightBytes: 141_000_000_000 };
    expect(modelMisfit(observation(), hardwareProfile(), known)?.reason).toBe('ModelTooLarge');
    const large = hardwareProfile({ accelerator: { count: 4, memoryGiB: 80 } });
    expect(modelMisfit(observation(), large, known)).toBeUndefined();
  });

  test('of a model that nobody looked at nothing is said', () => {
    expect(modelMisfit(observation(), hardwareProfile(), undefined)).toBeUndefined();
  });
});
