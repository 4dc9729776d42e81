/** Infer on a test cluster: images, manifests, and waiting until the operator runs. */
import { join } from 'node:path';
import { buildImages } from '../cluster/image.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { loadImages } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { waitFor } from '../cluster/wait.ts';

/**
 * Installs Infer and its stand-ins (the overlay `dev`) from the images of this checkout; safe to repeat, also while
 * the API server restarts. Throws with what kubectl said when operator and gateways do not run within minutes.
 */
export async function installInfer(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  const { archives } = await buildImages(progress);
  progress('loading the images into the cluster');
  await loadImages(cluster, archives);
  progress('installing Infer: kubectl apply -k manifests/overlays/dev');
  const overlay = join(repositoryRoot, 'manifests/overlays/dev');
  await waitFor(
    'applying manifests/overlays/dev',
    async () => await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-k', overlay]),
    { timeoutMs: 60_000, intervalMs: 1_000 },
  );
  progress('waiting for operator and gateways');
  for (const deployment of ['infer-operator', 'infer-gateway', 'hub-sim']) {
    await waitFor(
      `deployment ${deployment} becoming available`,
      async () =>
        await kubectl(cluster, [
          '-n',
          'infer-system',
          'rollout',
          'status',
          `deployment/${deployment}`,
          '--timeout=60s',
        ]),
      { timeoutMs: 180_000, intervalMs: 1_000 },
    );
  }
}
