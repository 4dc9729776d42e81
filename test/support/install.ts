/** Infer on a test cluster: images, manifests, and waiting until the operator runs. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadImages } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { imagesOf, withArchives, withImages } from '../cluster/dev-images.ts';
import { buildImages } from '../cluster/image.ts';
import { commandLine, kubectl } from '../cluster/kubectl.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { UserError } from '../cluster/user-error.ts';
import { waitFor } from '../cluster/wait.ts';

const OVERLAY = 'manifests/overlays/dev';
const DEPLOYMENTS = ['infer-operator', 'infer-gateway', 'infer-batch', 'hub-sim'];

/** Returns the overlay's manifests with images that the cluster has by then, or can pull where it is the user's own. */
async function prepareManifests(cluster: Cluster, progress: (line: string) => void): Promise<string> {
  const render = async (): Promise<string> => await kubectl(cluster, ['kustomize', join(repositoryRoot, OVERLAY)]);
  if (cluster.kind === 'current') {
    const images = imagesOf(process.env);
    return withImages(await render(), images);
  }
  const { archives } = await buildImages(progress);
  progress('loading the images into the cluster');
  await loadImages(cluster, archives);
  return withArchives(await render(), archives);
}

/** A local cluster provisions no volumes; its nodes share this machine's disk, so that the files are on each of them. */
async function provideFilesVolume(cluster: Cluster): Promise<void> {
  if (cluster.kind !== 'local') return;
  const path = join(dirname(cluster.kubeconfig), 'files');
  await mkdir(path, { recursive: true });
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'infer-files' },
    spec: {
      capacity: { storage: '50Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'infer-system', name: 'infer-files' },
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'Exists' }] }],
        },
      },
    },
  };
  await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify(volume));
}

/** Waits for `step`; throws a UserError that names the command to look with when it does not succeed in time. */
async function waitOrExplain(
  cluster: Cluster,
  step: { what: string; try: () => Promise<unknown>; timeoutMs: number; look: string[] },
): Promise<void> {
  try {
    await waitFor(step.what, async () => await step.try(), { timeoutMs: step.timeoutMs, intervalMs: 1_000 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(`${reason}\nSee: ${commandLine(cluster, step.look)}`, { cause: error });
  }
}

/**
 * Installs Infer and its stand-ins (the overlay `dev`) from the images of this checkout, or from those of the
 * environment (see imagesOf) on the user's own cluster; safe to repeat, also while the API server restarts.
 * Throws a UserError with what kubectl said when its processes do not run within minutes.
 */
export async function installInfer(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  const manifests = await prepareManifests(cluster, progress);
  await provideFilesVolume(cluster);
  progress(`installing Infer: kubectl apply -k ${OVERLAY}`);
  await waitOrExplain(cluster, {
    what: `applying ${OVERLAY}`,
    try: async () => await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-f', '-'], manifests),
    timeoutMs: 60_000,
    look: ['get', '--raw', '/readyz?verbose'],
  });
  progress('waiting for operator, gateways and the batch process');
  for (const deployment of DEPLOYMENTS) {
    const status = ['rollout', 'status', `deployment/${deployment}`, '--timeout=60s'];
    await waitOrExplain(cluster, {
      what: `deployment ${deployment} becoming available`,
      try: async () => await kubectl(cluster, ['-n', 'infer-system', ...status]),
      timeoutMs: 180_000,
      look: ['-n', 'infer-system', 'describe', 'pods'],
    });
  }
}
