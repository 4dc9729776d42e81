/** A profile with a claim as its cache: the operator with its shipped rights on a real API server; nothing is mounted. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Deployment, Job, Pod } from '../../src/api/kubernetes.ts';
import {
  deployments,
  hardwareProfiles,
  inferenceDeployments,
  jobs,
  persistentVolumeClaims,
} from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import {
  type FakeKubelet,
  fetchedStatus,
  FOUND,
  isFetch,
  isPreflight,
  lookedUpStatus,
  servingStatus,
} from '../support/fake-kubelet.ts';
import { denied, startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { hardwareProfile } from '../support/resources.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

const PROFILE = 'cached';

describe('model cache', () => {
  let client: KubeClient;
  let proxy: FaultProxy;
  let operator: OperatorProcess;
  let kubelet: FakeKubelet;
  let namespace: string;

  beforeAll(async () => {
    ({ client, kubelet, namespace, proxy } = await startOperatorBed('cache'));
    const profile = hardwareProfile({
      modelCache: { type: 'PersistentVolumeClaim', claim: { size: '100Gi', storageClassName: 'none' } },
    });
    profile.metadata.name = PROFILE;
    await client.apply(hardwareProfiles, profile, { fieldManager: 'test', force: true });
    operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig, environment: { INFER_PREFLIGHT: 'on' } });
  }, 60_000);

  afterAll(async () => {
    await stopOperatorBed(operator, { client, kubelet, proxy });
  }, 30_000);

  async function child(name: string): Promise<Deployment | undefined> {
    return await client.get(deployments, { namespace, name: `infer-${name}` });
  }

  async function fetches(name: string): Promise<Job[]> {
    const { items } = await client.list(jobs, { namespace, labelSelector: `infer.dev/deployment=${name}` });
    return items.filter(({ metadata }) => metadata.name.includes('-fetch-'));
  }

  test('replicas start when the model is there, and read it without a download of their own', async () => {
    const message = 'The model org/model needs 16.0 GB more than are stored, and the volume has 9.0 GB left.';
    kubelet.become((pod: Pod) => (isFetch(pod) ? fetchedStatus({ reason: 'DiskFull', message }) : servingStatus(pod)));
    await createDeployment(client, namespace, 'shared', { hardwareProfile: PROFILE, minReplicas: 2 });
    const full = await readyReason(client, namespace, 'DiskFull', 'shared');
    const ready = full.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).toBe(message);
    expect(await child('shared')).toBeUndefined();
    expect((await client.get(persistentVolumeClaims, { namespace, name: 'infer-shared-models' }))?.spec).toMatchObject({
      accessModes: ['ReadWriteMany'],
      storageClassName: 'none',
      resources: { requests: { storage: '100Gi' } },
    });

    kubelet.become(servingStatus);
    await readyReason(client, namespace, 'Serving', 'shared');
    const template = (await child('shared'))?.spec.template.spec;
    expect(template?.initContainers).toBeUndefined();
    expect(template?.volumes).toContainEqual({
      name: 'model',
      persistentVolumeClaim: { claimName: 'infer-shared-models', readOnly: true },
    });
    expect(await fetches('shared')).toHaveLength(1);
  }, 60_000);

  test('a change that is none of the model makes no Job; another revision makes one, and the old one goes', async () => {
    const [first] = await fetches('shared');
    await client.patch(
      inferenceDeployments,
      { namespace, name: 'shared' },
      { spec: { engine: { maxModelLen: 4096 } } },
      { type: 'merge' },
    );
    await eventually(async () => {
      expect(JSON.stringify((await child('shared'))?.spec.template)).toContain('--max-model-len=4096');
    });
    expect((await fetches('shared')).map(({ metadata }) => metadata.uid)).toEqual([first?.metadata.uid]);

    const commit = 'f'.repeat(40);
    kubelet.become((pod: Pod) =>
      isPreflight(pod) ? lookedUpStatus({ facts: { ...FOUND, commit } }) : servingStatus(pod),
    );
    const model = { id: 'org/model', revision: 'v2' };
    await client.patch(inferenceDeployments, { namespace, name: 'shared' }, { spec: { model } }, { type: 'merge' });
    await eventually(async () => {
      const [fetch, ...more] = await fetches('shared');
      const env = fetch?.spec.template.spec.containers[0]?.env;
      expect(env).toContainEqual({ name: 'INFER_MODEL_REVISION', value: commit });
      expect(more).toEqual([]);
      const directory = env?.find(({ name }) => name === 'INFER_MODEL_DIRECTORY')?.value ?? 'none';
      expect((await child('shared'))?.spec.template.spec.containers[0]?.args?.[0]).toBe(directory);
      const resource = await client.get(inferenceDeployments, { namespace, name: 'shared' });
      expect(resource?.status?.conditions).toContainEqual(expect.objectContaining({ reason: 'Complete' }));
    }, 60_000);
  }, 120_000);

  test('a deleted Job is made again, and the replicas go on serving meanwhile', async () => {
    const [first] = await fetches('shared');
    const generation = (await child('shared'))?.metadata.generation;
    const job = { namespace, name: first?.metadata.name ?? '' };
    await client.delete(jobs, job, { propagationPolicy: 'Background' });
    await eventually(async () => {
      const again = await fetches('shared');
      expect(again.map(({ metadata }) => metadata.uid)).not.toContain(first?.metadata.uid);
      expect(again[0]?.status?.conditions?.some(({ type }) => type === 'Complete')).toBe(true);
    }, 60_000);
    await readyReason(client, namespace, 'Serving', 'shared');
    expect((await child('shared'))?.metadata.generation).toBe(generation);
  }, 120_000);

  test('replicas that could not share a volume are refused', async () => {
    const profile = hardwareProfile({
      modelCache: { type: 'PersistentVolumeClaim', claim: { size: '100Gi', accessMode: 'ReadWriteOnce' } },
    });
    profile.metadata.name = 'cached-once';
    await client.apply(hardwareProfiles, profile, { fieldManager: 'test', force: true });
    await createDeployment(client, namespace, 'apart', { hardwareProfile: 'cached-once', minReplicas: 2 });
    await readyReason(client, namespace, 'CacheNotShareable', 'apart');
    expect(await fetches('apart')).toEqual([]);
  }, 60_000);

  test('with the deployment goes its cache; the process used no right that its roles do not give', async () => {
    await client.delete(inferenceDeployments, { namespace, name: 'shared' });
    await eventually(async () => {
      expect(await fetches('shared')).toEqual([]);
      const claim = await client.get(persistentVolumeClaims, { namespace, name: 'infer-shared-models' });
      // Its protection holds it while a pod names it.
      if (claim !== undefined) expect(claim.metadata.deletionTimestamp).toBeDefined();
    }, 90_000);
    expect(denied(proxy, namespace)).toEqual([]);
  }, 120_000);
});
