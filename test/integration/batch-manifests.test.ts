/** How the batch process is installed, on a real API server: alone with a folder, several with a bucket. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { readSettings } from '../../src/batch/settings.ts';
import { run, tryRun } from '../cluster/command.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { eventually } from '../support/eventually.ts';

const BATCH = 'system:serviceaccount:infer-system:infer-batch';
const NAMESPACE = ['--namespace', 'infer-system'];

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: PodManifest } };
}

/** Of the manifests' claim. */
const CLAIM_BYTES = 50 * 1024 ** 3;

interface PodManifest {
  terminationGracePeriodSeconds: number;
  containers: { env: { name: string; value?: string }[]; envFrom?: object[]; volumeMounts: object[] }[];
  volumes?: object[];
}

let plane: ControlPlane;
/** The overlay of somebody who has a bucket. */
let withBucket: string;

async function kubectl(...args: string[]): Promise<string> {
  return await run(plane.kubectl, ['--kubeconfig', plane.kubeconfig, ...args]);
}

/** Waits until the API server refuses it with this message: a policy holds a moment after it was made. */
async function refused(args: string[], message: string, input = ''): Promise<void> {
  await eventually(async () => {
    const { stderr } = await tryRun(plane.kubectl, ['--kubeconfig', plane.kubeconfig, ...args], { input });
    expect(stderr).toContain(message);
  }, 30_000);
}

/** The pod of the batch process in what `folder` installs, and all its objects. */
async function rendered(folder: string): Promise<{ objects: Manifest[]; pod: PodManifest }> {
  const objects = parseAllDocuments(await kubectl('kustomize', folder)).map((each) => each.toJS() as Manifest);
  const deployment = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'infer-batch');
  if (deployment === undefined) throw new Error('There is no infer-batch.');
  return { objects, pod: deployment.spec.template.spec };
}

function lease(name: string): string {
  const spec = { holderIdentity: 'test', leaseDurationSeconds: 15 };
  return JSON.stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name }, spec });
}

beforeAll(async () => {
  plane = await startControlPlane();
  await kubectl('apply', '-k', join(repositoryRoot, 'crds'));
  await kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all');
  await kubectl('apply', '-k', join(repositoryRoot, 'manifests/overlays/cluster'));
  withBucket = await mkdtemp(join(tmpdir(), 'infer-bucket-'));
  const manifests = relative(withBucket, join(repositoryRoot, 'manifests'));
  const literals = ['INFER_STORE_S3_BUCKET=ours', 'INFER_STORE_S3_REGION=eu-central-1'];
  const kustomization = {
    resources: [`${manifests}/overlays/cluster`],
    components: [`${manifests}/components/batch-s3`],
    configMapGenerator: [{ name: 'infer-files-bucket', namespace: 'infer-system', literals }],
  };
  await writeFile(join(withBucket, 'kustomization.yaml'), JSON.stringify(kustomization));
}, 120_000);

afterAll(async () => {
  await plane.stop();
  await rm(withBucket, { recursive: true });
});

test('the batch process writes no Lease but those of its batches', async () => {
  const create = ['create', ...NAMESPACE, '--dry-run=server', '--as', BATCH, '-f', '-'];
  await refused(create, 'this account writes Leases of batches only', lease('infer-operator'));
  const input = lease('infer-batch-0198c2f4');
  await run(plane.kubectl, ['--kubeconfig', plane.kubeconfig, ...create], { input });
});

describe('with a folder', () => {
  test('it reads its settings, has the folder, and ends within its grace period', async () => {
    const { pod } = await rendered(join(repositoryRoot, 'manifests/overlays/cluster'));
    const [container] = pod.containers;
    // What the downward API gives is any text here.
    const settings = readSettings(
      Object.fromEntries(container?.env.map(({ name, value = 'any' }) => [name, value]) ?? []),
    );
    expect(settings).toMatchObject({
      apiPort: 8444,
      gatewayAddress: { host: 'infer-gateway-internal.infer-system.svc', port: 8445 },
      store: { kind: 'folder', folder: '/files' },
    });
    expect(settings.maxNamespaceBytes).toBeLessThanOrEqual(CLAIM_BYTES / 4);
    expect(container?.volumeMounts).toEqual([{ name: 'files', mountPath: '/files' }]);
    expect(pod.terminationGracePeriodSeconds * 1_000 - settings.leaveMs - settings.drainMs).toBe(10_000);
  });

  test('a second process is refused, however it is asked for', async () => {
    const message = 'which only one process may use';
    await refused(['scale', 'deployment/infer-batch', '--replicas=2', ...NAMESPACE], message);
    for (const spec of [{ replicas: 2 }, { strategy: { type: 'RollingUpdate' } }]) {
      await refused(['patch', 'deployment', 'infer-batch', ...NAMESPACE, '-p', JSON.stringify({ spec })], message);
    }
  });

  test('none is one, and one after that', async () => {
    await kubectl('scale', 'deployment/infer-batch', '--replicas=0', ...NAMESPACE);
    await kubectl('scale', 'deployment/infer-batch', '--replicas=1', ...NAMESPACE);
  });
});

describe('with a bucket', () => {
  test('there are two, without a volume, with the settings of the overlay and the credentials of a Secret', async () => {
    const { objects, pod } = await rendered(withBucket);
    expect(objects.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
    expect(JSON.stringify(pod)).not.toMatch(/INFER_STORE_FOLDER|INFER_NAMESPACE_BYTES/);
    expect(pod.volumes).toEqual([]);
    expect(pod.containers[0]?.envFrom).toEqual([
      { configMapRef: { name: expect.stringMatching(/^infer-files-bucket-/) } },
      { secretRef: { name: 'infer-files-bucket', optional: true } },
    ]);
  });

  test('it goes in the place of a folder at one go, and may be scaled', async () => {
    await kubectl('apply', '--warnings-as-errors', '-k', withBucket);
    const replicas = ['get', 'deployment', 'infer-batch', ...NAMESPACE, '-o', 'jsonpath={.spec.replicas}'];
    expect(await kubectl(...replicas)).toBe('2');
    await eventually(async () => {
      await kubectl('scale', 'deployment/infer-batch', '--replicas=3', ...NAMESPACE);
    }, 30_000);
  }, 60_000);
});
