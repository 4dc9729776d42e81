/** The operator as a process with its shipped rights against a real API server; a stand-in for the kubelet sets pods' status. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Pod, Service } from '../../src/api/kubernetes.ts';
import {
  deployments,
  hardwareProfiles,
  inferenceDeployments,
  networkPolicies,
  pods,
  services,
} from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { ownersOf } from '../../src/kube/managed-fields.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeKubelet, servingStatus, unschedulableStatus } from '../support/fake-kubelet.ts';
import { denied, startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { hardwareProfile } from '../support/resources.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

type PodStatus = NonNullable<Pod['status']>;

/** A pod whose `container` is stuck in this waiting state. */
function waiting(container: 'download' | 'engine', reason: string, message: string): PodStatus {
  const list = container === 'download' ? 'initContainerStatuses' : 'containerStatuses';
  const image = { image: 'registry.example/vllm:nope', imageID: '' };
  return {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False' },
    ],
    [list]: [{ name: container, ready: false, restartCount: 0, ...image, state: { waiting: { reason, message } } }],
  };
}

describe('operator', () => {
  let client: KubeClient;
  let proxy: FaultProxy;
  let operator: OperatorProcess;
  let kubelet: FakeKubelet;
  let namespace: string;

  beforeAll(async () => {
    ({ client, kubelet, namespace, proxy } = await startOperatorBed('operator'));
    operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
  }, 60_000);

  afterAll(async () => {
    await stopOperatorBed(operator, { client, kubelet, proxy });
  }, 30_000);

  async function edit(name: string, spec: object): Promise<void> {
    await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
  }

  async function podCount(name: string): Promise<number> {
    const { items } = await client.list(pods, { namespace, labelSelector: `infer.dev/deployment=${name}` });
    return items.length;
  }

  test('from one replica to three, suspended, started again, deleted: nothing is left behind', async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'life');
    await readyReason(client, namespace, 'Serving', 'life');
    expect(await podCount('life')).toBe(1);

    await edit('life', { minReplicas: 3 });
    await eventually(async () => expect(await podCount('life')).toBe(3));
    const scaled = await eventually(async () => {
      const resource = await readyReason(client, namespace, 'Serving', 'life');
      expect(resource.status?.replicas).toMatchObject({ desired: 3, ready: 3 });
      return resource;
    });
    expect(scaled.status?.conditions?.every(({ observedGeneration }) => observedGeneration === 2)).toBe(true);

    await edit('life', { suspend: true });
    await readyReason(client, namespace, 'Suspended', 'life');
    await eventually(async () => expect(await podCount('life')).toBe(0));

    await edit('life', { suspend: false });
    await readyReason(client, namespace, 'Serving', 'life');

    await client.delete(inferenceDeployments, { namespace, name: 'life' });
    await eventually(async () => {
      expect(await podCount('life')).toBe(0);
      expect(await client.get(services, { namespace, name: 'infer-life' })).toBeUndefined();
      expect(await client.get(networkPolicies, { namespace, name: 'infer-life' })).toBeUndefined();
      // The garbage collector learns of kinds that were installed after its start every 30 s.
    }, 90_000);
  }, 150_000);

  test('after the hand-over the scaler alone owns replicas, and takes them back from kubectl scale', async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'scaled');
    await readyReason(client, namespace, 'Serving', 'scaled');
    const child = { namespace, name: 'infer-scaled' };
    await eventually(async () => {
      const live = await client.get(deployments, child);
      expect(live && ownersOf(live, ['spec', 'replicas'])).toEqual(['infer-scaler']);
    });
    await client.patch(deployments, child, { spec: { replicas: 5 } }, { type: 'merge', fieldManager: 'kubectl' });
    await eventually(async () => {
      const live = await client.get(deployments, child);
      expect(live?.spec.replicas).toBe(1);
      expect(live && ownersOf(live, ['spec', 'replicas'])).toEqual(['infer-scaler']);
    });
  }, 60_000);

  test("a field of a child that someone changed is set back, and someone's own label stays", async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'edited');
    await readyReason(client, namespace, 'Serving', 'edited');
    const child = { namespace, name: 'infer-edited' };
    const change = { metadata: { labels: { mine: 'yes' } }, spec: { selector: { 'infer.dev/deployment': 'other' } } };
    await client.patch(services, child, change, { type: 'merge', fieldManager: 'someone' });
    await eventually(async () => {
      const live = await client.get(services, child);
      expect(live?.spec.selector['infer.dev/deployment']).toBe('edited');
      expect(live?.metadata.labels?.['mine']).toBe('yes');
    });
  }, 60_000);

  test('a deleted child is made again', async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'bereft');
    await readyReason(client, namespace, 'Serving', 'bereft');
    const before = await client.get(services, { namespace, name: 'infer-bereft' });
    await client.delete(services, { namespace, name: 'infer-bereft' });
    await eventually(async () => {
      const again = await client.get(services, { namespace, name: 'infer-bereft' });
      expect(again).toBeDefined();
      expect(again?.metadata.uid).not.toBe(before?.metadata.uid);
    });
  }, 60_000);

  test('an unknown profile is said, and the deployment goes on when the profile appears', async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'profiled', { hardwareProfile: 'gpu.later' });
    const refused = await readyReason(client, namespace, 'UnknownHardwareProfile', 'profiled');
    const accepted = refused.status?.conditions?.find(({ type }) => type === 'Accepted');
    expect(accepted).toMatchObject({
      status: 'False',
      message: expect.stringContaining('kubectl -n infer-system get hardwareprofiles'),
    });
    expect(await client.get(deployments, { namespace, name: 'infer-profiled' })).toBeUndefined();
    const profile = hardwareProfile();
    profile.metadata.name = 'gpu.later';
    await client.create(hardwareProfiles, profile);
    await readyReason(client, namespace, 'Serving', 'profiled');
    await client.delete(hardwareProfiles, { namespace: profile.metadata.namespace ?? '', name: 'gpu.later' });
    const lost = await readyReason(client, namespace, 'UnknownHardwareProfile', 'profiled');
    // What serves goes on serving: a profile that is gone stops changes, not replicas.
    expect(lost.status?.conditions?.find(({ type }) => type === 'Available')?.status).toBe('True');
    expect(await podCount('profiled')).toBe(1);
    // And whoever suspends it gets the GPU back.
    await edit('profiled', { suspend: true });
    await eventually(async () => expect(await podCount('profiled')).toBe(0));
  }, 60_000);

  const stuck: [sentence: string, status: PodStatus, reason: string, says: RegExp][] = [
    [
      'a missing token Secret',
      waiting('download', 'CreateContainerConfigError', 'secret "hf-token" not found'),
      'TokenMissing',
      /no Secret hf-token with key token/,
    ],
    [
      'an image that cannot be pulled',
      waiting('engine', 'ImagePullBackOff', 'Back-off pulling image'),
      'ImagePullFailed',
      /cannot pull image registry\.example\/vllm:nope/,
    ],
    [
      'no free GPU',
      unschedulableStatus('0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: none'),
      'WaitingForGPU',
      /No node has 1 nvidia\.com\/gpu free/,
    ],
  ];
  test.each(stuck)(
    '%s is a condition with the next step, and recovery clears it',
    async (sentence, status, reason, says) => {
      kubelet.become(() => status);
      const name = `stuck-${reason.toLowerCase()}`;
      const tokenSecretRef = { name: 'hf-token', key: 'token' };
      await createDeployment(client, namespace, name, { model: { id: 'org/model', tokenSecretRef } });
      const resource = await readyReason(client, namespace, reason, name);
      expect({ sentence, message: resource.status?.conditions?.find(({ type }) => type === 'Ready')?.message }).toEqual(
        {
          sentence,
          message: expect.stringMatching(says),
        },
      );
      kubelet.become(servingStatus);
      await readyReason(client, namespace, 'Serving', name);
    },
    60_000,
  );

  test("someone else's Service of the same name is refused, not adopted; its removal lets the deployment go on", async () => {
    kubelet.become(servingStatus);
    const foreign: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'infer-taken', namespace },
      spec: {
        type: 'ClusterIP',
        selector: { app: 'x' },
        ports: [{ name: 'p', port: 1, protocol: 'TCP', targetPort: 'p' }],
      },
    };
    const before = await client.create(services, foreign);
    await createDeployment(client, namespace, 'taken');
    await readyReason(client, namespace, 'NameConflict', 'taken');
    const after = await client.get(services, { namespace, name: 'infer-taken' });
    expect(after?.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await client.delete(services, { namespace, name: 'infer-taken' });
    // It is not watched, having none of our labels: it is looked for every 30 s.
    await readyReason(client, namespace, 'Serving', 'taken', 45_000);
  }, 90_000);

  test('a resource deleted and made again under its name gets children of its own', async () => {
    kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'again');
    await readyReason(client, namespace, 'Serving', 'again');
    await client.delete(inferenceDeployments, { namespace, name: 'again' });
    const second = await createDeployment(client, namespace, 'again');
    await readyReason(client, namespace, 'Serving', 'again');
    await eventually(async () => {
      const live = await client.get(deployments, { namespace, name: 'infer-again' });
      expect(live?.metadata.ownerReferences?.[0]?.uid).toBe(second.metadata.uid);
      const { items } = await client.list(pods, { namespace, labelSelector: 'infer.dev/deployment=again' });
      expect(items.map((pod) => pod.metadata.labels?.['infer.dev/deployment-uid'])).toEqual([second.metadata.uid]);
    });
  }, 60_000);

  test('what Kubernetes refuses is shown, the status is still written, and the next spec recovers', async () => {
    kubelet.become(servingStatus);
    const webhook = proxy.rule({
      match: { verb: 'apply', resource: 'deployments', namespace, name: 'infer-denied' },
      action: {
        type: 'error',
        status: 403,
        reason: 'Forbidden',
        message: 'admission webhook "policy" denied: no owner label',
      },
    });
    await createDeployment(client, namespace, 'denied');
    await eventually(async () => {
      const resource = await client.get(inferenceDeployments, { namespace, name: 'denied' });
      expect(resource?.status?.conditions?.find(({ type }) => type === 'Progressing')).toMatchObject({
        status: 'False',
        reason: 'ApplyFailed',
        message: expect.stringContaining('no owner label'),
      });
    });
    webhook.remove();
    await readyReason(client, namespace, 'Serving', 'denied');
  }, 60_000);

  test('a refusal whose text differs each time is tried with back-off and written once', async () => {
    kubelet.become(servingStatus);
    const match = { verb: 'apply', resource: 'deployments', namespace, name: 'infer-varying' };
    for (let nth = 1; nth <= 8; nth += 1) {
      const message = `denied: request ${nth} at 2026-01-01T00:00:0${nth}Z`;
      proxy.rule({ match: { ...match, nth }, action: { type: 'error', status: 403, reason: 'Forbidden', message } });
    }
    proxy.reset();
    await createDeployment(client, namespace, 'varying');
    await readyReason(client, namespace, 'Serving', 'varying', 60_000);
    const attempts = proxy.writes(match).slice(0, 8);
    const gap = (attempts.at(-1)?.atMs ?? 0) - (attempts[0]?.atMs ?? 0);
    // 200 ms doubled seven times is 25 s; the jitter may halve it.
    expect(gap).toBeGreaterThan(8_000);
    const statuses = proxy.writes({ namespace, name: 'varying', subresource: 'status' });
    const failing = statuses.filter(({ body }) => body?.includes('ApplyFailed'));
    expect(failing).toHaveLength(1);
  }, 90_000);

  test('an edited label does not hide a child from repair, and a foreign pod with our labels is no replica', async () => {
    kubelet.become(servingStatus);
    const resource = await createDeployment(client, namespace, 'labels');
    await readyReason(client, namespace, 'Serving', 'labels');
    const child = { namespace, name: 'infer-labels' };
    const change = { metadata: { labels: { 'infer.dev/deployment': 'other' } } };
    await client.patch(services, child, change, { type: 'merge', fieldManager: 'someone' });
    await eventually(async () => {
      expect((await client.get(services, child))?.metadata.labels?.['infer.dev/deployment']).toBe('labels');
    });
    const labels = {
      'infer.dev/component': 'replica',
      'infer.dev/deployment': 'labels',
      'infer.dev/deployment-uid': resource.metadata.uid ?? '',
    };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'foreign', namespace, labels } };
    await client.create(pods, { ...pod, spec: { containers: [{ name: 'c', image: 'x' }] } });
    await edit('labels', { minReplicas: 2 });
    await eventually(async () => {
      const live = await client.get(inferenceDeployments, { namespace, name: 'labels' });
      expect(live?.status).toMatchObject({ observedGeneration: 2, replicas: { desired: 2, ready: 2 } });
    });
  }, 60_000);

  test('SIGTERM lets a write that is under way arrive', async () => {
    kubelet.become(servingStatus);
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const before = async (): Promise<void> => {
      held.resolve();
      await release.promise;
    };
    const match = { verb: 'apply', resource: 'services', namespace, name: 'infer-held' };
    proxy.rule({ match, times: 1, action: { type: 'hook', before } });
    await createDeployment(client, namespace, 'held');
    await held.promise;
    const ended = operator.end('SIGTERM');
    await eventually(() => expect(operator.log).toMatch(/"msg":"stopping"/));
    release.resolve();
    expect(await ended).toBe(0);
    expect(proxy.writes(match).map(({ status }) => status)).toEqual([201]);
    // The pass goes on after it. Not always up to the status: a controller may write the new Deployment meanwhile, and a
    // pass that meets a conflict leaves the rest to the next process.
    const after = { verb: 'apply', resource: 'deployments', namespace, name: 'infer-held' };
    expect(proxy.writes(after).map(({ status }) => status)).toContain(201);
    operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
    await readyReason(client, namespace, 'Serving', 'held');
  }, 60_000);

  test('an API server away for 30 s ends the term, not the process', async () => {
    kubelet.become(servingStatus);
    await proxy.down();
    // The outage itself is what is tested: longer than the Lease lasts.
    await delay(30_000);
    await createDeployment(client, namespace, 'outage');
    await proxy.up();
    await readyReason(client, namespace, 'Serving', 'outage', 60_000);
    expect(operator.running).toBe(true);
    expect(operator.log).toMatch(/no longer leading|leadership lost/);
  }, 120_000);

  test('the process used no right that its roles do not give, and ends in order on SIGTERM', async () => {
    expect(denied(proxy, namespace)).toEqual([]);
    expect(await operator.end('SIGTERM')).toBe(0);
    expect(operator.log).not.toMatch(/unhandled|TypeError/);
  }, 30_000);
});
