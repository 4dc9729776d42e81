/** Resources kept in Git: what the operator does to them is nothing that Argo CD, kubectl diff or an apply would see. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { run, tryRun } from '../cluster/command.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { argoDifferences, type ArgoDifference } from '../support/argocd.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeKubelet } from '../support/fake-kubelet.ts';
import { sharedKubeconfig } from '../support/kube.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { INSTALL } from '../support/resources.ts';
import { readyReason } from '../support/scenario.ts';

const MANAGER = 'argocd-controller';
let client: KubeClient;
let proxy: FaultProxy;
let operator: OperatorProcess;
let kubelet: FakeKubelet;
let namespace: string;

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('argocd'));
  operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
  // The first use of the engine builds it.
  await argoDifferences([]);
}, 1_200_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

/** As somebody would write them: quantities in several spellings, defaults left out, an empty map, a label for Argo CD. */
function manifests(name: string): string {
  return `
apiVersion: infer.dev/v1alpha1
kind: HardwareProfile
metadata: { name: ${name}, namespace: ${INSTALL.namespace} }
spec:
  accelerator: { memoryGiB: 80 }
  image: registry.example/vllm:v0.32.0
  imagePullSecrets: [{ name: registry }]
  resources:
    requests: { cpu: 1000m, memory: "1073741824" }
    limits: { cpu: 4, memory: 1024Mi }
  tolerations: [{ key: nvidia.com/gpu, operator: Exists }]
---
apiVersion: infer.dev/v1alpha1
kind: CatalogModel
metadata: { name: ${name}, namespace: ${INSTALL.namespace} }
spec:
  modelId: org/${name}
  engine: { maxModelLen: 8192 }
---
apiVersion: infer.dev/v1alpha1
kind: APIKey
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  keyId: 7f3k9q2m
  hash: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
---
apiVersion: infer.dev/v1alpha1
kind: InferenceDeployment
metadata:
  name: ${name}
  namespace: ${namespace}
  labels: { app.kubernetes.io/instance: models }
  annotations: { argocd.argoproj.io/sync-wave: "1" }
spec:
  model: { id: org/${name}, tokenSecretRef: { name: hf-token } }
  hardwareProfile: ${name}
  podLabels: { team: search }
  engine: {}
`;
}

async function kubectl(args: string[], input: string): Promise<string> {
  const path = process.env['INFER_TEST_KUBECTL'] ?? '';
  return await run(path, ['--kubeconfig', sharedKubeconfig(), ...args, '-f', '-'], { input });
}

async function objects(args: string[], text: string): Promise<KubeObject[]> {
  const answer = JSON.parse(await kubectl([...args, '-o', 'json', '--show-managed-fields'], text)) as {
    items: KubeObject[];
  };
  return answer.items;
}

const CLIENT_SIDE = ['apply', `--field-manager=${MANAGER}`];
const SERVER_SIDE = [...CLIENT_SIDE, '--server-side', '--force-conflicts'];

function outOfSync(differences: ArgoDifference[]): ArgoDifference[] {
  return differences.filter((difference) => difference.outOfSync);
}

/** What Argo CD compares: what stands in Git, what is there, and what an apply would make of it. */
async function compare(text: string): Promise<{ threeWay: ArgoDifference[]; serverSide: ArgoDifference[] }> {
  const targets = parseAllDocuments(text).map((document) => document.toJS() as object);
  const live = await objects(['get'], text);
  const predicted = await objects([...SERVER_SIDE, '--dry-run=server'], text);
  const pairs = targets.map((target, index) => ({ target, live: live[index] ?? {} }));
  return {
    threeWay: await argoDifferences(pairs),
    serverSide: await argoDifferences(pairs.map((pair, index) => ({ ...pair, predicted: predicted[index] ?? {} }))),
  };
}

async function settled(name: string): Promise<InferenceDeployment> {
  return await eventually(async () => {
    const resource = await readyReason(client, namespace, 'Serving', name);
    const progressing = resource.status?.conditions?.find(({ type }) => type === 'Progressing');
    expect(progressing?.reason).toBe('Complete');
    return resource;
  }, 60_000);
}

describe.each([
  ['client-side', 'by-client', CLIENT_SIDE],
  ['server-side', 'by-server', SERVER_SIDE],
])('resources applied %s', (_how, name, apply) => {
  test('are in sync for Argo CD once they serve, and there is nothing left to apply', async () => {
    const text = manifests(name);
    await kubectl(apply, text);
    await settled(name);
    const { threeWay, serverSide } = await compare(text);
    expect({ threeWay: outOfSync(threeWay), serverSide: outOfSync(serverSide) }).toEqual({
      threeWay: [],
      serverSide: [],
    });
    const path = process.env['INFER_TEST_KUBECTL'] ?? '';
    const flags = apply.includes('--server-side') ? apply.slice(1) : [];
    const diff = ['--kubeconfig', sharedKubeconfig(), 'diff', ...flags, '-f', '-'];
    expect(await tryRun(path, diff, { input: text })).toEqual({ code: 0, stdout: '', stderr: '' });
    const before = await objects(['get'], text);
    await kubectl(apply, text);
    const after = await objects(['get'], text);
    expect(after.map(({ metadata }) => [metadata.name, metadata.resourceVersion, metadata.generation])).toEqual(
      before.map(({ metadata }) => [metadata.name, metadata.resourceVersion, metadata.generation]),
    );
  }, 120_000);

  test('keep what their author wrote: the operator owns nothing but status', async () => {
    const resource = await settled(name);
    expect(resource.metadata.labels).toEqual({ 'app.kubernetes.io/instance': 'models' });
    expect(resource.metadata.annotations).toMatchObject({ 'argocd.argoproj.io/sync-wave': '1' });
    const fields = (resource.metadata.managedFields ?? []).filter(({ manager }) => manager?.startsWith('infer'));
    expect(
      fields.map(({ manager, subresource, fieldsV1 }) => [manager, subresource, Object.keys(fieldsV1 ?? {})]),
    ).toEqual([['infer', 'status', ['f:status']]]);
    // Argo CD prunes what carries its tracking label and is not in Git: children must not inherit it.
    const children = ['get', 'deployments,services,poddisruptionbudgets,networkpolicies,replicasets,pods'];
    const selector = ['-n', namespace, '-l', 'app.kubernetes.io/instance', '-o', 'name'];
    const path = process.env['INFER_TEST_KUBECTL'] ?? '';
    expect(await run(path, ['--kubeconfig', sharedKubeconfig(), ...children, ...selector])).toBe('');
  }, 60_000);

  test('are out of sync where somebody changed them', async () => {
    const ref = { namespace, name };
    await client.patch(
      inferenceDeployments,
      ref,
      { spec: { minReplicas: 2, engine: { maxNumSeqs: 8 }, model: { id: 'org/other' } } },
      { type: 'merge', fieldManager: 'kubectl-edit' },
    );
    const { threeWay, serverSide } = await compare(manifests(name));
    const changed = [threeWay, serverSide].map((differences) => outOfSync(differences).map(({ live }) => live?.kind));
    expect(changed).toEqual([['InferenceDeployment'], ['InferenceDeployment']]);
  }, 60_000);
});
