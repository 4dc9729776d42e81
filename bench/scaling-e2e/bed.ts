/** A local cluster with Infer and one deployment of the simulated engine at the speeds of this bench. */
import type { Cluster } from '../../test/cluster/cluster-types.ts';
import { kubectl } from '../../test/cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../../test/cluster/local-cluster.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { demoKey, gatewayOrigin } from '../../test/support/gateway-access.ts';
import { installInfer } from '../../test/support/install.ts';
import { clientOf } from '../../test/support/kube.ts';
import type { CellTargets } from '../autoscaler/types.ts';
import { ENGINE_ARGUMENTS } from './engine.ts';
import { ScalingWatch } from './watch.ts';

const CLUSTER = 'bench-scaling';
const NAMESPACE = 'default';
const PROFILE = 'gpu.a100';
export const DEPLOYMENT = 'chat';
const TIMEOUT_MS = 180_000;

export interface Bed {
  baseUrl: string;
  key: string;
  watch: ScalingWatch;
  /** Lets the scaler go down to minReplicas; until then it holds the initial ones. */
  release(): Promise<void>;
}

/** Calls `use` with a bed whose initial replicas serve, and takes the cluster down afterwards; returns its result. */
export async function withBed<Result>(
  targets: CellTargets,
  progress: (line: string) => void,
  use: (bed: Bed) => Promise<Result>,
): Promise<Result> {
  await localClusterDown(CLUSTER, progress);
  try {
    const cluster = await localClusterUp({ name: CLUSTER, nodes: 1, gpus: targets.maxReplicas, progress });
    await installInfer(cluster, progress);
    const client = clientOf(cluster.kubeconfig);
    const watch = new ScalingWatch(client, { namespace: NAMESPACE, name: DEPLOYMENT }, progress);
    try {
      return await use(await deploy(cluster, watch, targets, progress));
    } finally {
      await watch.stop();
      await client.close();
    }
  } finally {
    await localClusterDown(CLUSTER, progress);
  }
}

async function deploy(
  cluster: Cluster,
  watch: ScalingWatch,
  targets: CellTargets,
  progress: (line: string) => void,
): Promise<Bed> {
  const { initialReplicas, maxReplicas, minReplicas, targetLatencyMs, targetRps } = targets;
  const patch = async (kind: string, name: string, namespace: string, spec: object): Promise<void> => {
    const args = ['-n', namespace, 'patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })];
    await kubectl(cluster, args);
  };
  await patch('hardwareprofile', PROFILE, 'infer-system', { args: ENGINE_ARGUMENTS });
  const deployment = {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceDeployment',
    metadata: { name: DEPLOYMENT, namespace: NAMESPACE },
    spec: {
      model: { id: 'infer-examples/tiny-llama' },
      hardwareProfile: PROFILE,
      minReplicas: initialReplicas,
      maxReplicas,
      scaling: { targetRps, targetLatencyP95Ms: targetLatencyMs },
    },
  };
  await kubectl(cluster, ['apply', '-f', '-'], JSON.stringify(deployment));
  progress(`waiting for ${initialReplicas} replicas`);
  const timeout = { timeoutMs: TIMEOUT_MS };
  await waitFor('the initial replicas serving', async () => watch.ready === initialReplicas || undefined, timeout);
  const baseUrl = `${await gatewayOrigin(cluster)}/v1`;
  const key = await demoKey(cluster, NAMESPACE);
  await waitFor('the gateways having the model', async () => (await isServed(baseUrl, key)) || undefined, timeout);
  const release = async (): Promise<void> => {
    await patch('inferencedeployment', DEPLOYMENT, NAMESPACE, { minReplicas });
  };
  return { baseUrl, key, watch, release };
}

async function isServed(baseUrl: string, key: string): Promise<boolean> {
  const response = await fetch(`${baseUrl}/models`, { headers: { authorization: `Bearer ${key}` } });
  return response.ok && (await response.text()).includes(`"${DEPLOYMENT}"`);
}
