/** Models are looked up before a GPU is reserved: the operator with its shipped rights on a real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import type { Deployment, Job, Pod } from '../../src/api/kubernetes.ts';
import { deployments, hardwareProfiles, inferenceDeployments, jobs, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { PreflightResult } from '../../src/preflight/result.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeKubelet, FOUND, isPreflight, lookedUpStatus, servingStatus } from '../support/fake-kubelet.ts';
import { denied, startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { hardwareProfile } from '../support/resources.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

describe('preflight', () => {
  let client: KubeClient;
  let proxy: FaultProxy;
  let operator: OperatorProcess;
  let kubelet: FakeKubelet;
  let namespace: string;

  beforeAll(async () => {
    ({ client, kubelet, namespace, proxy } = await startOperatorBed('preflight'));
    operator = start();
  }, 60_000);

  afterAll(async () => {
    await stopOperatorBed(operator, { client, kubelet, proxy });
  }, 30_000);

  function start(): OperatorProcess {
    return OperatorProcess.start({ kubeconfig: proxy.kubeconfig, environment: { INFER_PREFLIGHT: 'on' } });
  }

  /** Every replica serves; a look-up ends with what `resultOf` says of the model it asks for, or goes on. */
  function answer(resultOf: (model: string) => PreflightResult | undefined): void {
    kubelet.become((pod: Pod) => {
      if (!isPreflight(pod)) return servingStatus();
      const container = pod.spec?.containers?.[0] as { env?: { name: string; value?: string }[] } | undefined;
      const result = resultOf(container?.env?.find(({ name }) => name === 'INFER_MODEL_ID')?.value ?? '');
      return result ? lookedUpStatus(result) : { phase: 'Pending' };
    });
  }

  async function edit(name: string, spec: Partial<InferenceDeploymentSpec>): Promise<void> {
    await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
  }

  async function child(name: string): Promise<Deployment | undefined> {
    return await client.get(deployments, { namespace, name: `infer-${name}` });
  }

  async function jobsOf(name: string): Promise<Job[]> {
    return (await client.list(jobs, { namespace, labelSelector: `infer.dev/deployment=${name}` })).items;
  }

  async function modelReason(name: string, reason: string): Promise<InferenceDeployment> {
    return await eventually(async () => {
      const resource = await client.get(inferenceDeployments, { namespace, name });
      const condition = resource?.status?.conditions?.find(({ type }) => type === 'ModelResolved');
      expect(condition).toMatchObject({ reason, observedGeneration: resource?.metadata.generation });
      return resource as InferenceDeployment;
    });
  }

  const absent: PreflightResult = { failure: { reason: 'ModelNotFound', message: 'The hub shows no such model.' } };

  test('no replica is made before the model is known; then all get its commit', async () => {
    answer(() => undefined);
    await createDeployment(client, namespace, 'fresh');
    const waiting = await readyReason(client, namespace, 'Resolving', 'fresh');
    expect(waiting.status?.replicas).toMatchObject({ desired: 1, ready: 0 });
    await eventually(async () => expect(await jobsOf('fresh')).toHaveLength(1));
    expect(await child('fresh')).toBeUndefined();

    answer(() => ({ facts: FOUND }));
    const serving = await readyReason(client, namespace, 'Serving', 'fresh');
    expect(serving.status?.model).toMatchObject({ commit: FOUND.commit, weightBytes: FOUND.weightBytes, gated: false });
    const template = (await child('fresh'))?.spec.template.spec;
    expect(template?.initContainers?.[0]?.env).toContainEqual({ name: 'INFER_MODEL_REVISION', value: FOUND.commit });
  }, 60_000);

  test('a model that is not there is said, and the corrected spec goes on', async () => {
    answer((model) => (model === 'org/typo' ? absent : { facts: FOUND }));
    await createDeployment(client, namespace, 'typo', { model: { id: 'org/typo' } });
    const refused = await readyReason(client, namespace, 'ModelNotFound', 'typo');
    const types = refused.status?.conditions?.filter(({ reason }) => reason === 'ModelNotFound');
    expect(types?.map(({ type }) => type).toSorted()).toEqual([
      'Available',
      'ModelResolved',
      'Progressing',
      'Ready',
      'ReplicasReady',
    ]);
    expect(await child('typo')).toBeUndefined();
    const [asked] = await jobsOf('typo');

    await edit('typo', { model: { id: 'org/model' } });
    await readyReason(client, namespace, 'Serving', 'typo');
    await eventually(async () => {
      expect((await jobsOf('typo')).map(({ metadata }) => metadata.uid)).not.toContain(asked?.metadata.uid);
      // Nor its pod, which would go on asking.
      const { items } = await client.list(pods, { namespace, labelSelector: 'infer.dev/deployment=typo' });
      const owners = items.flatMap(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? ['none']);
      expect(owners).not.toContain('none');
      expect(owners).not.toContain(asked?.metadata.uid);
    }, 90_000);
  }, 120_000);

  test('while a new model is looked up and when it is refused the old one serves; the spec set back changes nothing', async () => {
    answer((model) => (model === 'org/next' ? undefined : { facts: FOUND }));
    await createDeployment(client, namespace, 'steady');
    await readyReason(client, namespace, 'Serving', 'steady');
    const before = (await child('steady'))?.metadata.generation;
    await edit('steady', { model: { id: 'org/next' } });
    const meanwhile = await modelReason('steady', 'Resolving');
    expect(meanwhile.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True' });
    expect(meanwhile.status?.replicas?.ready).toBe(1);

    answer((model) => (model === 'org/next' ? absent : { facts: FOUND }));
    const refused = await modelReason('steady', 'ModelNotFound');
    expect(refused.status?.conditions?.find(({ type }) => type === 'Available')).toMatchObject({ status: 'True' });
    expect(refused.status?.model?.commit).toBe(FOUND.commit);

    proxy.reset();
    await edit('steady', { model: { id: 'org/model' } });
    await modelReason('steady', 'Resolved');
    await readyReason(client, namespace, 'Serving', 'steady');
    expect((await child('steady'))?.metadata.generation).toBe(before);
    expect(proxy.writes({ resource: 'jobs', namespace }).filter(({ verb }) => verb === 'apply')).toEqual([]);
  }, 60_000);

  test('what runs goes on where its status is lost and the hub is away', async () => {
    answer(() => ({ facts: FOUND }));
    await createDeployment(client, namespace, 'lost');
    await readyReason(client, namespace, 'Serving', 'lost');
    const away: PreflightResult = { failure: { reason: 'HubUnreachable', message: 'The hub does not answer.' } };
    answer(() => away);
    // What one process sees of both has no order: where it sees the status first, the answer of the Job is still there.
    await operator.end();
    for (const job of await jobsOf('lost')) {
      await client.delete(jobs, { namespace, name: job.metadata.name }, { propagationPolicy: 'Background' });
    }
    const gone = { status: { model: null } };
    await client.patch(inferenceDeployments, { namespace, name: 'lost' }, gone, {
      type: 'merge',
      subresource: 'status',
    });
    operator = start();
    await operator.reconciling();
    const lost = await modelReason('lost', 'HubUnreachable');
    expect(lost.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True' });
    await edit('lost', { minReplicas: 2 });
    await eventually(async () => expect((await child('lost'))?.status?.readyReplicas).toBe(2));
    expect((await child('lost'))?.spec.template.spec.initContainers?.[0]?.env).toContainEqual({
      name: 'INFER_MODEL_REVISION',
      value: FOUND.commit,
    });
  }, 120_000);

  test('a suspended deployment goes down also while its new model is refused', async () => {
    answer((model) => (model === 'org/gone' ? absent : { facts: FOUND }));
    await createDeployment(client, namespace, 'stopped');
    await readyReason(client, namespace, 'Serving', 'stopped');
    await edit('stopped', { model: { id: 'org/gone' }, suspend: true });
    await modelReason('stopped', 'ModelNotFound');
    await eventually(async () => expect((await child('stopped'))?.spec.replicas).toBe(0));
  }, 60_000);

  test('a model that does not fit is refused and goes on with a larger profile; what runs already is not judged again', async () => {
    answer(() => ({ facts: { ...FOUND, weightBytes: 60e9 } }));
    await createDeployment(client, namespace, 'running');
    await readyReason(client, namespace, 'Serving', 'running');
    const small = hardwareProfile({ accelerator: { resource: 'nvidia.com/gpu', count: 1, memoryGiB: 24 } });
    const owner = { fieldManager: 'test', force: true };
    try {
      await client.apply(hardwareProfiles, small, owner);
      await createDeployment(client, namespace, 'large');
      await readyReason(client, namespace, 'ModelTooLarge', 'large');
      expect(await child('large')).toBeUndefined();
      await modelReason('running', 'Resolved');
      await readyReason(client, namespace, 'Serving', 'running');
    } finally {
      await client.apply(hardwareProfiles, hardwareProfile(), owner);
    }
    await readyReason(client, namespace, 'Serving', 'large');
    expect(await jobsOf('large')).toHaveLength(1);
  }, 60_000);

  test('the process used no right that its roles do not give', () => {
    expect(denied(proxy, namespace)).toEqual([]);
  });
});
