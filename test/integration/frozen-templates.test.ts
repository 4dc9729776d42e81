/** What runs stays as it is: an edited profile or an upgraded Infer is shown, and taken when somebody asks for it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { CatalogModel } from '../../src/api/generated/catalog-model.ts';
import type { HardwareProfileSpec } from '../../src/api/generated/hardware-profile.ts';
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../src/api/generated/inference-deployment.ts';
import type { ControllerRevision, Deployment, Pod } from '../../src/api/kubernetes.ts';
import {
  catalogModels,
  controllerRevisions,
  deployments,
  hardwareProfiles,
  inferenceDeployments,
  pods,
} from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { FaultProxy, RecordedRequest } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { MemoryLogger } from '../support/kube.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { hardwareProfile, INSTALL } from '../support/resources.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

const OLD = 'registry.example/vllm:old';
const NEW = 'registry.example/vllm:new';
const MENDED = 'registry.example/vllm:mended';
/** The size of the namespace in which Infer is upgraded. */
const MANY = 20;

let client: KubeClient;
let proxy: FaultProxy;
let namespace: string;
let operator: OperatorProcess;
let kubelet: FakeKubelet;
/** One for each test, since all deployments of a profile are concerned by it. */
let profile: string;
let profiles = 0;

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('frozen'));
  operator = startOperator();
}, 60_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

beforeEach(async () => {
  kubelet.become(servingStatus);
  profiles += 1;
  profile = `gpu.frozen${profiles}`;
  await editProfile({ image: OLD });
});

function startOperator(environment: Record<string, string> = {}): OperatorProcess {
  return OperatorProcess.start({
    kubeconfig: proxy.kubeconfig,
    environment: { INFER_WATCH_NAMESPACE: namespace, ...environment },
  });
}

async function editProfile(spec: Partial<HardwareProfileSpec>): Promise<void> {
  const intent = hardwareProfile(spec);
  intent.metadata.name = profile;
  await client.apply(hardwareProfiles, intent, { fieldManager: 'test', force: true });
}

async function edit(name: string, spec: object): Promise<void> {
  await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
}

async function serve(name: string): Promise<void> {
  await createDeployment(client, namespace, name, { hardwareProfile: profile });
  await readyReason(client, namespace, 'Serving', name, 60_000);
}

function progressing(status: InferenceDeploymentStatus | undefined): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'Progressing')?.reason;
}

async function deploymentOf(name: string): Promise<Deployment> {
  const live = await client.get(deployments, { namespace, name: `infer-${name}` });
  if (live === undefined) throw new Error(`there is no Deployment of ${name}`);
  return live;
}

function imageOf({ spec }: Deployment): string | undefined {
  return spec.template.spec.containers[0]?.image;
}

function podImage({ spec }: Pod): string {
  return spec?.containers?.[0]?.image ?? '';
}

async function images(names: readonly string[]): Promise<Record<string, string | undefined>> {
  const live = await Promise.all(names.map(async (name) => imageOf(await deploymentOf(name))));
  return Object.fromEntries(names.map((name, index) => [name, live[index]]));
}

async function update(name: string): Promise<NonNullable<InferenceDeployment['status']>['update']> {
  return (await client.get(inferenceDeployments, { namespace, name }))?.status?.update;
}

async function shows(name: string, reasons: string[] | undefined): Promise<void> {
  await eventually(async () => {
    expect([name, await update(name)]).toEqual([name, reasons && { available: true, reasons }]);
  }, 60_000);
}

async function revisionsOf(name: string): Promise<ControllerRevision[]> {
  const labelSelector = `infer.dev/deployment=${name}`;
  return (await client.list(controllerRevisions, { namespace, labelSelector })).items;
}

function writes(): RecordedRequest[] {
  return proxy.writes({ namespace }).filter(({ resource }) => resource !== 'events.events.k8s.io');
}

/** Waits until no write has come for three seconds from now on, and returns those since the last reset. */
async function settled(): Promise<RecordedRequest[]> {
  const from = performance.now();
  return await eventually(() => {
    const seen = writes();
    expect(performance.now() - Math.max(from, seen.at(-1)?.atMs ?? 0)).toBeGreaterThan(3_000);
    return Promise.resolve(seen);
  }, 30_000);
}

/** A kubelet on which replicas with one of these images serve, and the others cannot pull theirs. */
function servesOnly(...served: string[]): void {
  kubelet.become((pod) => (served.includes(podImage(pod)) ? servingStatus() : pullFailure(podImage(pod))));
}

function pullFailure(image: string): NonNullable<Pod['status']> {
  const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
  return {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'False' },
    ],
    containerStatuses: [{ name: 'engine', ready: false, restartCount: 0, image, state: { waiting } }],
  };
}

function isOf(pod: Pod, name: string | undefined): boolean {
  return pod.metadata.labels?.['infer.dev/deployment'] === name;
}

/** Waits until as many Deployments have the image, and returns their names. */
async function taken(of: readonly string[], image: string, count: number): Promise<string[]> {
  return await eventually(async () => {
    const found = Object.entries(await images(of)).filter(([, live]) => live === image);
    expect(found).toHaveLength(count);
    return found.map(([name]) => name);
  }, 60_000);
}

async function waitFor(waiting: readonly string[]): Promise<void> {
  await Promise.all(waiting.map(async (name) => await shows(name, ['HardwareProfile', 'WaitingForTurn'])));
  expect(Object.values(await images(waiting))).toEqual(waiting.map(() => OLD));
}

describe('what runs', () => {
  test('stays when its profile is edited; restartedAt takes what is new', async () => {
    await serve('edited');
    const before = await deploymentOf('edited');
    await editProfile({ image: NEW, tolerations: [{ key: 'gpu', operator: 'Exists' }] });
    await shows('edited', ['HardwareProfile']);
    expect((await deploymentOf('edited')).metadata.generation).toBe(before.metadata.generation);
    // Edited back, there is nothing newer.
    await editProfile({ image: OLD });
    await shows('edited', undefined);
    await editProfile({ image: NEW });
    await shows('edited', ['HardwareProfile']);
    // What shapes no pod takes nothing with it.
    await edit('edited', { minReplicas: 2 });
    await eventually(async () => {
      expect((await client.get(inferenceDeployments, { namespace, name: 'edited' }))?.status?.replicas?.ready).toBe(2);
    });
    expect(imageOf(await deploymentOf('edited'))).toBe(OLD);
    await edit('edited', { restartedAt: '2026-01-01T00:00:00Z' });
    await eventually(async () => expect(imageOf(await deploymentOf('edited'))).toBe(NEW));
    await shows('edited', undefined);
  }, 90_000);

  test('comes back exactly when a change of the spec is taken back, whatever the profile says by then', async () => {
    await serve('back');
    const before = await deploymentOf('back');
    await editProfile({ image: NEW });
    await shows('back', ['HardwareProfile']);
    await edit('back', { engine: { maxModelLen: 4096 } });
    await eventually(async () => expect(imageOf(await deploymentOf('back'))).toBe(NEW));
    await edit('back', { engine: null });
    await eventually(async () => expect((await deploymentOf('back')).spec.template).toEqual(before.spec.template));
    await shows('back', ['HardwareProfile']);
    expect(await revisionsOf('back')).toHaveLength(2);
    // A, B and C at once end at C.
    for (const maxModelLen of [1000, 2000, 3000]) await edit('back', { engine: { maxModelLen } });
    await eventually(async () => {
      expect((await deploymentOf('back')).spec.template.spec.containers[0]?.args).toContain('--max-model-len=3000');
    });
    for (const maxModelLen of [4000, 5000, 6000]) {
      await edit('back', { engine: { maxModelLen } });
      await eventually(async () => {
        const { args } = (await deploymentOf('back')).spec.template.spec.containers[0] ?? {};
        expect(args).toContain(`--max-model-len=${maxModelLen}`);
      });
    }
    await eventually(async () => expect(await revisionsOf('back')).toHaveLength(4));
  }, 90_000);

  test('takes the settings of the catalogue that it does not set itself, and stays when those are edited', async () => {
    const catalogue = async (engine: CatalogModel['spec']['engine']): Promise<void> => {
      const entry: CatalogModel = {
        apiVersion: 'infer.dev/v1alpha1',
        kind: 'CatalogModel',
        metadata: { name: `${namespace}-model`, namespace: INSTALL.namespace },
        spec: { modelId: `${namespace}/catalogued`, ...(engine && { engine }) },
      };
      await client.apply(catalogModels, entry, { fieldManager: 'test', force: true });
    };
    const argumentsOf = async (): Promise<string[]> => {
      const { args = [] } = (await deploymentOf('catalogued')).spec.template.spec.containers[0] ?? {};
      return args.filter((argument) => /^--(max-model-len|max-num-seqs|tool-call-parser)=/.test(argument));
    };
    const model = { id: `${namespace}/catalogued` };
    // That the operator knows of the entry: what is made before it does is made without it.
    await createDeployment(client, namespace, 'herald', { hardwareProfile: profile, model });
    await readyReason(client, namespace, 'Serving', 'herald');
    await catalogue({ maxModelLen: 8192, maxNumSeqs: 64, toolCallParser: 'hermes' });
    await shows('herald', ['CatalogModel']);
    const spec = { hardwareProfile: profile, model, engine: { maxModelLen: 4096 } };
    await createDeployment(client, namespace, 'catalogued', spec);
    await readyReason(client, namespace, 'Serving', 'catalogued');
    expect(await argumentsOf()).toEqual(['--max-model-len=4096', '--max-num-seqs=64', '--tool-call-parser=hermes']);
    const before = await deploymentOf('catalogued');

    await catalogue({ maxModelLen: 8192, maxNumSeqs: 128, toolCallParser: 'hermes' });
    await shows('catalogued', ['CatalogModel']);
    expect((await deploymentOf('catalogued')).metadata.generation).toBe(before.metadata.generation);
    await edit('catalogued', { restartedAt: '2026-01-01T00:00:00Z' });
    await eventually(async () => expect(await argumentsOf()).toContain('--max-num-seqs=128'));
    await shows('catalogued', undefined);
    await client.delete(catalogModels, { namespace: INSTALL.namespace, name: `${namespace}-model` });
  }, 90_000);

  test('is put right when somebody edits the Deployment, to what ran and not to what is newer', async () => {
    await serve('meddled');
    const before = await deploymentOf('meddled');
    await editProfile({ image: NEW });
    await shows('meddled', ['HardwareProfile']);
    const path = '/spec/template/spec/containers/0/image';
    await client.patch(deployments, before.metadata, [{ op: 'replace', path, value: 'registry.example/theirs' }], {
      type: 'json',
      fieldManager: 'someone',
    });
    await eventually(async () => {
      const live = await deploymentOf('meddled');
      expect(live.metadata.generation).toBeGreaterThan((before.metadata.generation ?? 0) + 1);
      expect(live.spec.template).toEqual(before.spec.template);
    });
  }, 60_000);

  test('is not all: what fails takes the profile that was mended', async () => {
    // The operator has never seen this profile with another image.
    profile = `${profile}.stillborn`;
    await editProfile({ image: NEW });
    servesOnly(OLD);
    await createDeployment(client, namespace, 'stillborn', { hardwareProfile: profile });
    await readyReason(client, namespace, 'ImagePullFailed', 'stillborn');
    await editProfile({ image: OLD });
    await readyReason(client, namespace, 'Serving', 'stillborn');
  }, 60_000);

  test('hides no failure of what is to replace it where a replica of it is made again', async () => {
    await serve('remade');
    servesOnly(OLD);
    await editProfile({ image: NEW });
    await shows('remade', ['HardwareProfile']);
    await edit('remade', { restartedAt: '2026-10-01T00:00:00Z' });
    await eventually(async () => {
      const { status } = await readyReason(client, namespace, 'Serving', 'remade');
      expect(progressing(status)).toBe('ImagePullFailed');
    });
    const replicas = await client.list(pods, { namespace, labelSelector: 'infer.dev/deployment=remade' });
    const served = replicas.items.filter((pod) => podImage(pod) === OLD);
    expect(served).toHaveLength(1);

    const told = new Set<string | undefined>();
    const informer = new Informer({
      client,
      resource: inferenceDeployments,
      namespace,
      decode: (object) => object,
      logger: new MemoryLogger(),
    });
    informer.onChange(({ object: { metadata, status } }) => {
      if (metadata.name === 'remade') told.add(progressing(status));
    });
    informer.start();
    await eventually(() => expect([...told]).toEqual(['ImagePullFailed']));
    await Promise.all(served.map(async ({ metadata }) => await client.delete(pods, metadata)));
    await eventually(async () => {
      const { status } = await readyReason(client, namespace, 'Serving', 'remade');
      const ready = status?.replicas?.pods?.filter(({ readiness }) => readiness === 'Ready') ?? [];
      expect(ready).toHaveLength(1);
      expect(ready[0]?.name).not.toBe(served[0]?.metadata.name);
      const counts = { replicas: 2, updatedReplicas: 1, readyReplicas: 1 };
      expect((await deploymentOf('remade')).status).toMatchObject(counts);
      expect(progressing(status)).toBe('ImagePullFailed');
    });
    await informer.stop();
    // Also in between, where Kubernetes has yet to count the replica: who waits for the rollout must not take it for done.
    expect([...told]).toEqual(['ImagePullFailed']);
  }, 60_000);

  test('is kept again when its revision was deleted, and does not roll', async () => {
    await serve('bereft');
    const before = await deploymentOf('bereft');
    const [first] = await revisionsOf('bereft');
    await client.delete(controllerRevisions, first?.metadata ?? { name: '' });
    await eventually(async () => {
      const [again] = await revisionsOf('bereft');
      expect(again?.metadata.uid).not.toBe(first?.metadata.uid);
      expect(again?.data).toEqual(first?.data);
    });
    // Also where something newer is there, so that it cannot be made again from the inputs.
    await editProfile({ image: NEW });
    await shows('bereft', ['HardwareProfile']);
    for (const { metadata } of await revisionsOf('bereft')) await client.delete(controllerRevisions, metadata);
    await shows('bereft', ['Unknown']);
    await editProfile({ image: OLD });
    await shows('bereft', undefined);
    const after = await deploymentOf('bereft');
    expect(after.spec.template).toEqual(before.spec.template);
    expect(after.metadata.generation).toBe(before.metadata.generation);
  }, 60_000);
});

describe('with `rollout: Auto`', () => {
  const names = ['auto-a', 'auto-b', 'auto-c'];

  test('deployments take what is new one at a time, each after the one before serves', async () => {
    await Promise.all(names.map(serve));
    servesOnly(OLD);
    await editProfile({ image: NEW, rollout: 'Auto' });
    const [first] = await taken(names, NEW, 1);
    await waitFor(names.filter((name) => name !== first));

    kubelet.become((pod) => (isOf(pod, first) || podImage(pod) === OLD ? servingStatus() : pullFailure(NEW)));
    const two = await taken(names, NEW, 2);
    expect(two).toContain(first);
    await waitFor(names.filter((name) => !two.includes(name)));

    kubelet.become(servingStatus);
    await taken(names, NEW, 3);
    await Promise.all(names.map(async (name) => await shows(name, undefined)));
  }, 90_000);

  test('the first that fails stops it, also over a restart of the operator; what mends it is taken by all', async () => {
    const stopped = names.map((name) => name.replace('auto', 'stopped'));
    await Promise.all(stopped.map(serve));
    servesOnly(OLD, MENDED);
    await editProfile({ image: NEW, rollout: 'Auto' });
    const [failing = ''] = await taken(stopped, NEW, 1);
    await eventually(async () => {
      const { status } = (await client.get(inferenceDeployments, { namespace, name: failing })) ?? {};
      expect(status?.conditions?.find(({ type }) => type === 'Progressing')).toMatchObject({
        status: 'False',
        message: expect.stringContaining(`no other deployment of profile ${profile} does so until it serves`),
      });
    });
    const others = stopped.filter((name) => name !== failing);
    await waitFor(others);

    await operator.end('SIGKILL');
    proxy.reset();
    operator = startOperator();
    await passedOver();
    expect((await settled()).filter(({ resource }) => resource === 'deployments.apps')).toEqual([]);
    await waitFor(others);

    await editProfile({ image: MENDED, rollout: 'Auto' });
    await taken(stopped, MENDED, 3);
    await Promise.all(stopped.map(async (name) => await readyReason(client, namespace, 'Serving', name)));
  }, 120_000);
});

/** Waits until the operator has had one pass over each deployment. */
async function passedOver(): Promise<void> {
  const { items } = await client.list(inferenceDeployments, { namespace });
  await operator.reconciling();
  await eventually(async () => {
    expect(await operator.passes()).toBeGreaterThanOrEqual(items.length);
  }, 60_000);
}

describe('an upgrade of Infer', () => {
  test('after a crash between the two writes goes on with the template that was kept', async () => {
    await serve('crashed');
    const match = { verb: 'apply', resource: 'deployments', namespace, name: 'infer-crashed' };
    const ended = Promise.withResolvers<void>();
    const before = async (): Promise<void> => {
      await operator.end('SIGKILL');
      ended.resolve();
    };
    proxy.rule({ match, times: 1, action: { type: 'hook', before } });
    proxy.rule({ match, times: 1, action: { type: 'cut', how: 'fin' } });
    await edit('crashed', { engine: { maxModelLen: 777 } });
    await ended.promise;
    operator = startOperator({ INFER_IMAGE: 'registry.example/infer:newer' });
    await shows('crashed', ['InferVersion']);
    const { containers, initContainers } = (await deploymentOf('crashed')).spec.template.spec;
    expect(containers[0]?.args).toContain('--max-model-len=777');
    expect(initContainers?.[0]?.image).toBe('localhost/infer:dev');
    expect(await revisionsOf('crashed')).toHaveLength(2);
    await operator.end('SIGTERM');
    operator = startOperator();
    await shows('crashed', undefined);
  }, 60_000);

  const names = Array.from({ length: MANY }, (_, index) => `upgraded-${index}`);

  test('changes no pod template, says that there is a newer one, and writes nothing at rest', async () => {
    await Promise.all(names.map(serve));
    await settled();
    await operator.end('SIGTERM');
    // As if two of them came from an Infer that kept no revisions.
    for (const name of names.slice(0, 2)) {
      for (const { metadata } of await revisionsOf(name)) await client.delete(controllerRevisions, metadata);
      const change = { metadata: { annotations: { 'infer.dev/revision': null } } };
      await client.patch(deployments, { namespace, name: `infer-${name}` }, change, { type: 'merge' });
      const resource = await client.get(inferenceDeployments, { namespace, name });
      const conditions = resource?.status?.conditions?.filter(({ type }) => type !== 'ModelResolved');
      const options = { type: 'merge', subresource: 'status' } as const;
      await client.patch(inferenceDeployments, { namespace, name }, { status: { conditions } }, options);
    }
    const before = await Promise.all(names.map(deploymentOf));
    proxy.reset();
    operator = startOperator({ INFER_IMAGE: 'registry.example/infer:newer', HF_ENDPOINT: 'https://hub.example' });
    for (const name of names.slice(2)) await shows(name, ['InferVersion', 'InstallSettings']);
    for (const name of names.slice(0, 2)) await shows(name, ['Unknown']);
    const made = await settled();
    const after = await Promise.all(names.map(deploymentOf));
    expect(after.map(({ spec }) => spec.template)).toEqual(before.map(({ spec }) => spec.template));
    // The annotation that names the revision comes back, and nothing else is written.
    const touched = made
      .filter(({ resource, name }) => resource === 'deployments.apps' && name.startsWith('infer-upgraded-'))
      .map(({ name }) => name);
    expect(touched.toSorted()).toEqual(['infer-upgraded-0', 'infer-upgraded-1']);

    await operator.end('SIGTERM');
    proxy.reset();
    operator = startOperator({ INFER_IMAGE: 'registry.example/infer:newer', HF_ENDPOINT: 'https://hub.example' });
    await passedOver();
    expect((await settled()).map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)).toEqual([]);
    expect(proxy.refused()).toEqual([]);
  }, 180_000);
});
