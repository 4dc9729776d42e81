/** Suspend, resume and delete: in the middle of a rollout, while no operator runs, with things in the way that are not ours. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Pod } from '../../src/api/kubernetes.ts';
import {
  deployments,
  inferenceDeployments,
  networkPolicies,
  podDisruptionBudgets,
  pods,
  services,
} from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { apiVersionOf, type KubeObject, type Resource } from '../../src/kube/types.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { configMap, configMaps, createNamespace, namespaces } from '../support/kube.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

const HOLD = 'example.com/hold';
const CHILDREN = [deployments, services, podDisruptionBudgets, networkPolicies] as Resource[];
/** The garbage collector learns of kinds that were installed after its start every 30 s. */
const COLLECTED_MS = 90_000;

let client: KubeClient;
let proxy: FaultProxy;
let operator: OperatorProcess;
let kubelet: FakeKubelet;
let namespace: string;

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('end', 'all'));
  operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
}, 60_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

beforeEach(() => {
  kubelet.become(servingStatus);
});

async function edit(name: string, spec: object): Promise<void> {
  await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
}

async function podsOf(name: string): Promise<Pod[]> {
  return (await client.list(pods, { namespace, labelSelector: `infer.dev/deployment=${name}` })).items;
}

async function serves(name: string, replicas: number): Promise<void> {
  await eventually(async () => {
    const { status } = await readyReason(client, namespace, 'Serving', name, 0);
    expect(status?.replicas).toMatchObject({ desired: replicas, ready: replicas });
    expect(status?.conditions?.find(({ type }) => type === 'Progressing')?.reason).toBe('Complete');
    expect(await podsOf(name)).toHaveLength(replicas);
  }, 60_000);
}

async function childrenOf(name: string, where = namespace): Promise<(KubeObject | undefined)[]> {
  return await Promise.all(
    CHILDREN.map(async (kind) => await client.get(kind, { namespace: where, name: `infer-${name}` })),
  );
}

/** Everything that the operator has seen so far it has acted on: what came later was acted on, too. */
async function operatorHasActed(marker: string): Promise<void> {
  await createDeployment(client, namespace, marker);
  await serves(marker, 1);
}

/** A status for the pods of the newest template that never become ready; those of others serve. */
function stuckIf(isNew: (pod: Pod) => boolean): (pod: Pod) => NonNullable<Pod['status']> {
  return (pod) => {
    if (!isNew(pod)) return servingStatus();
    const conditions = [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False' },
    ];
    return { phase: 'Pending', conditions };
  };
}

function hasArgument(argument: string): (pod: Pod) => boolean {
  return (pod) => JSON.stringify(pod.spec).includes(argument);
}

test('suspend removes the replicas and keeps all else; the same objects serve after it is taken back', async () => {
  await createDeployment(client, namespace, 'pause', { minReplicas: 2 });
  await serves('pause', 2);
  const before = await childrenOf('pause');
  await edit('pause', { suspend: true });
  const suspended = await readyReason(client, namespace, 'Suspended', 'pause');
  expect(suspended.status?.conditions?.find(({ type }) => type === 'Available')).toMatchObject({
    status: 'False',
    reason: 'Suspended',
  });
  await eventually(async () => expect(await podsOf('pause')).toEqual([]));
  const during = await childrenOf('pause');
  expect(during.map((child) => child?.metadata.uid)).toEqual(before.map((child) => child?.metadata.uid));
  // But for the count of replicas nothing is even written.
  expect(during.slice(1).map((child) => child?.metadata.generation)).toEqual(
    before.slice(1).map((child) => child?.metadata.generation),
  );
  await edit('pause', { suspend: false });
  await serves('pause', 2);
  expect((await childrenOf('pause')).map((child) => child?.metadata.uid)).toEqual(
    before.map((child) => child?.metadata.uid),
  );
}, 120_000);

test('suspended in the middle of a rollout and resumed, only the newest of three specs serves', async () => {
  await createDeployment(client, namespace, 'middle', { minReplicas: 2 });
  await serves('middle', 2);
  kubelet.become(stuckIf(hasArgument('--max-model-len')));
  await edit('middle', { engine: { maxModelLen: 1024 } });
  await eventually(async () => {
    expect((await podsOf('middle')).filter(hasArgument('--max-model-len=1024'))).toHaveLength(1);
  });
  await edit('middle', { engine: { maxModelLen: 2048 } });
  await edit('middle', { suspend: true });
  await readyReason(client, namespace, 'Suspended', 'middle');
  await eventually(async () => expect(await podsOf('middle')).toEqual([]));
  kubelet.become(servingStatus);
  await edit('middle', { suspend: false });
  await serves('middle', 2);
  expect((await podsOf('middle')).filter(hasArgument('--max-model-len=2048'))).toHaveLength(2);
}, 120_000);

test('deleted while no operator runs, all goes, and an operator that comes later makes nothing again', async () => {
  await createDeployment(client, namespace, 'alone');
  await serves('alone', 1);
  await operator.end('SIGKILL');
  await client.delete(inferenceDeployments, { namespace, name: 'alone' });
  await eventually(async () => {
    expect(await childrenOf('alone')).toEqual(CHILDREN.map(() => undefined));
    expect(await podsOf('alone')).toEqual([]);
  }, COLLECTED_MS);
  proxy.reset();
  operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
  await operatorHasActed('marker-1');
  expect(proxy.writes({ namespace, name: 'infer-alone' })).toEqual([]);
  expect(await childrenOf('alone')).toEqual(CHILDREN.map(() => undefined));
}, 180_000);

test("a deletion that somebody's finalizer holds up is left alone: children are not made again, and only status says so", async () => {
  const resource = await createDeployment(client, namespace, 'held');
  await serves('held', 1);
  const ref = { namespace, name: 'held' };
  await client.patch(inferenceDeployments, ref, { metadata: { finalizers: [HOLD] } }, { type: 'merge' });
  await client.delete(inferenceDeployments, ref);
  proxy.reset();
  await client.delete(services, { namespace, name: 'infer-held' });
  await client.patch(inferenceDeployments, ref, { spec: { minReplicas: 2 } }, { type: 'merge' });
  await operatorHasActed('marker-2');
  const about = proxy
    .writes({ namespace })
    .filter(({ name, resource: kind }) => name.includes('held') && kind !== 'events.events.k8s.io');
  expect(about.filter(({ subresource }) => subresource !== 'status')).toEqual([]);
  // One for the deletion, one for the edit of a spec that nobody acts on.
  expect(about.length).toBeLessThanOrEqual(2);
  const { status } = await readyReason(client, namespace, 'Deleting', 'held');
  expect(status?.conditions?.find(({ type }) => type === 'Available')?.status).toBe('True');
  expect(await client.get(services, { namespace, name: 'infer-held' })).toBeUndefined();
  expect((await client.get(inferenceDeployments, ref))?.metadata.uid).toBe(resource.metadata.uid);
  await client.patch(inferenceDeployments, ref, { metadata: { finalizers: [] } }, { type: 'merge' });
  await eventually(async () => {
    expect(await client.get(inferenceDeployments, ref)).toBeUndefined();
    expect(await childrenOf('held')).toEqual(CHILDREN.map(() => undefined));
  }, COLLECTED_MS);
}, 180_000);

test('a namespace that is being deleted takes its deployments with it, and the operator does not run against it', async () => {
  const doomed = await createNamespace(client, 'doomed');
  const names = Array.from({ length: 5 }, (_, index) => `chat-${index}`);
  for (const name of names) await createDeployment(client, doomed, name);
  for (const name of names) await readyReason(client, doomed, 'Serving', name, 60_000);
  await client.create(configMaps, {
    ...configMap(doomed, 'hold'),
    metadata: { namespace: doomed, name: 'hold', finalizers: [HOLD] },
  });
  proxy.reset();
  await client.delete(namespaces, { name: doomed });
  await eventually(async () => {
    expect((await client.list(inferenceDeployments, { namespace: doomed })).items).toEqual([]);
    for (const name of names) expect(await childrenOf(name, doomed)).toEqual(CHILDREN.map(() => undefined));
  }, COLLECTED_MS);
  await operatorHasActed('marker-3');
  const refused = proxy.writes({ namespace: doomed }).filter(({ status }) => status === 403);
  const told = refused.filter(({ resource }) => resource === 'events.events.k8s.io');
  // Each child and pod that goes before the deployment itself brings one pass, and that one write, and perhaps its Event.
  const passes = (CHILDREN.length + 2) * names.length;
  expect(refused.length - told.length).toBeLessThanOrEqual(passes);
  expect(told.length).toBeLessThanOrEqual(passes);
  expect(operator.running).toBe(true);
  await client.patch(
    configMaps,
    { namespace: doomed, name: 'hold' },
    { metadata: { finalizers: [] } },
    { type: 'merge' },
  );
}, 180_000);

test('what the API server answers in such a namespace is asked for once and not shown as a failure', async () => {
  const match = { verb: 'apply', resource: 'services', namespace, name: 'infer-last' };
  const message = `services "infer-last" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`;
  const causes = [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ];
  const body = JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code: 403,
    reason: 'Forbidden',
    message,
    details: { causes },
  });
  const rule = proxy.rule({ match, action: { type: 'error', status: 403, body } });
  await createDeployment(client, namespace, 'last');
  await eventually(() => expect(proxy.writes(match).length).toBeGreaterThan(0));
  await operatorHasActed('marker-4');
  // The children made before it each bring a pass.
  expect(proxy.writes(match).length).toBeLessThanOrEqual(3);
  expect((await client.get(inferenceDeployments, { namespace, name: 'last' }))?.status?.conditions ?? []).toEqual([]);
  rule.remove();
}, 60_000);

const foreign: [Resource, object][] = [
  [
    deployments,
    {
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
    },
  ],
  [services, { selector: { app: 'x' }, ports: [{ port: 1 }] }],
  [podDisruptionBudgets, { maxUnavailable: 1, selector: { matchLabels: { app: 'x' } } }],
  [networkPolicies, { podSelector: {}, policyTypes: ['Ingress'] }],
];

test.each(foreign.map(([kind, spec]): [string, Resource, object] => [kind.kind, kind, spec]))(
  "someone's %s of our name is never adopted, also where it carries our labels",
  async (_kind, kind, spec) => {
    const name = `taken-${kind.kind.toLowerCase().slice(0, 10)}`;
    const labels = { 'app.kubernetes.io/managed-by': 'infer', 'infer.dev/deployment': name };
    const object = {
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: { namespace, name: `infer-${name}`, labels },
      spec,
    };
    const before = await client.create<KubeObject>(kind, object);
    await createDeployment(client, namespace, name);
    const resource = await readyReason(client, namespace, 'NameConflict', name);
    expect(resource.status?.conditions?.find(({ type }) => type === 'Ready')?.message).toBe(
      `${kind.kind} infer-${name} exists and does not belong to this deployment. Delete or rename it, or rename the deployment.`,
    );
    const after = await client.get(kind, { namespace, name: `infer-${name}` });
    expect({
      uid: after?.metadata.uid,
      owners: after?.metadata.ownerReferences,
      labels: after?.metadata.labels,
    }).toEqual({
      uid: before.metadata.uid,
      owners: undefined,
      labels,
    });
    // It is watched, having our labels: its end is seen at once.
    await client.delete(kind, { namespace, name: `infer-${name}` });
    await serves(name, 1);
  },
  90_000,
);
