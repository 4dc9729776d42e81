/** Batches on a real kubelet: beside clients' requests, from zero, and through the loss of a replica and of their worker. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { podProcesses } from '../cluster/programs.ts';
import { formatReport, startLoad } from '../load/load.ts';
import { createApiKey } from '../support/api-key.ts';
import { BatchClient } from '../support/batch-client.ts';
import { eventually } from '../support/eventually.ts';
import { gatewayOrigin } from '../support/gateway-access.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';

const NAME = 't-batch';
const MODEL = { id: 'infer-examples/tiny-llama' };
/** Long enough for all that dies meanwhile. */
const REQUESTS = 1_200;
const REPLICAS = 'infer.dev/component=replica,infer.dev/deployment=chat';
const WORKERS = 'app.kubernetes.io/component=batch';

let cluster: Cluster;
let baseUrl: string;
let key: string;
let batches: BatchClient;

async function k(...args: string[]): Promise<string> {
  return await kubectl(cluster, args);
}

async function deploy(name: string, spec: object): Promise<void> {
  const metadata = { name, namespace: 'default' };
  const resource = { apiVersion: 'infer.dev/v1alpha1', kind: 'InferenceDeployment', metadata };
  await kubectl(cluster, ['apply', '-f', '-'], stringify({ ...resource, spec: { model: MODEL, ...spec } }));
  await k('wait', '--for=condition=Ready', `infer/${name}`, '--timeout=120s');
}

async function statusOf(name: string): Promise<NonNullable<InferenceDeployment['status']>> {
  return (JSON.parse(await k('get', 'infer', name, '-o', 'json')) as InferenceDeployment).status ?? {};
}

beforeAll(async () => {
  await localClusterDown(NAME, () => undefined);
  cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 3 });
  await installInfer(cluster, () => undefined);
  const client = clientOf(cluster.kubeconfig);
  key = await createApiKey(client, 'default', 'jobs', { scopes: ['inference', 'files'] });
  await client.close();
  baseUrl = `${await gatewayOrigin(cluster)}/v1`;
  batches = new BatchClient(baseUrl, key);
  await deploy('chat', { minReplicas: 2, maxReplicas: 2, engine: { maxNumSeqs: 16 } });
  await deploy('zero', {
    minReplicas: 0,
    maxReplicas: 1,
    drainTimeoutSeconds: 10,
    scaling: { idleSeconds: 10, stabilizationWindowSeconds: 0 },
  });
  for (const model of ['chat', 'zero']) {
    await eventually(async () => {
      const { data } = await batches.openai.models.list();
      expect(data.map(({ id }) => id)).toContain(model);
    }, 30_000);
  }
}, 900_000);
afterAll(async () => await localClusterDown(NAME, () => undefined), 120_000);

test('two batches beside clients lose nothing while a replica is killed and the worker is evicted', async () => {
  const load = startLoad({ baseUrl, key, model: 'chat', rate: 5, streamShare: 0.5, maxTokens: 16, seed: 1 });
  const [large, small] = [await batches.start('chat', REQUESTS, 32), await batches.start('zero', 40, 8)];
  const done = async (): Promise<number> =>
    (await batches.openai.batches.retrieve(large.id)).request_counts?.completed ?? 0;
  await eventually(async () => expect(await done()).toBeGreaterThan(0), 60_000, 500);

  const [victim = ''] = (await k('get', 'pods', '-l', REPLICAS, '-o', 'jsonpath={.items[*].metadata.uid}')).split(' ');
  for (const pid of await podProcesses(victim)) process.kill(pid, 'SIGKILL');

  const infer = ['-n', 'infer-system'];
  const worker = await k(...infer, 'get', 'pods', '-l', WORKERS, '-o', 'jsonpath={.items[0].metadata.name}');
  const metadata = { name: worker, namespace: 'infer-system' };
  const eviction = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata });
  await kubectl(
    cluster,
    ['create', '--raw', `/api/v1/namespaces/infer-system/pods/${worker}/eviction`, '-f', '-'],
    eviction,
  );
  // Neither was late: there was something to be lost.
  await eventually(async () => expect(await done()).toBeLessThan(REQUESTS), 60_000, 500);

  await batches.expectAllAnswered(small.id, 40, 300_000);
  await batches.expectAllAnswered(large.id, REQUESTS, 600_000);
  const report = await load.stop();
  console.log(formatReport(report));
  // What was streamed by the replica that was killed ended in an error event.
  expect({ failed: report.failed, examples: report.examples.filter(({ kind }) => kind === 'unary') }).toEqual({
    failed: 0,
    examples: [],
  });
  expect(Object.keys(report.reasons).filter((reason) => !reason.startsWith('cut: error event'))).toEqual([]);
}, 900_000);

test('the deployment that a batch woke is at zero again, and tells both', async () => {
  await eventually(async () => expect((await statusOf('zero')).replicas?.desired).toBe(0), 120_000, 500);
  const [down, up] = (await statusOf('zero')).scaling?.recent ?? [];
  expect(up?.message).toMatch(/^0 → 1: batches need 1 replica to be done in time\.$/);
  expect(down).toMatchObject({ to: 0, reason: 'ScaledToZero' });
}, 180_000);

test('kubectl shows how batches stand', async () => {
  const table = await k('get', 'inferbatch');
  expect(table.split('\n')[0]).toMatch(/NAME\s+DEPLOYMENT\s+STATUS\s+DONE\s+FAILED\s+TOTAL\s+AGE/);
  expect(table).toMatch(new RegExp(`\\schat\\s+Completed\\s+${REQUESTS}\\s+0\\s+${REQUESTS}\\s`));
});
