/** The official openai clients against Infer on a local cluster: the checks of client.py and client.ts under every base. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { tryRun } from '../cluster/command.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { createApiKey } from '../support/api-key.ts';
import { withGateway } from '../support/gateway-access.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';
import { withPortForward } from '../support/port-forward.ts';
import { ensurePythonPackage } from '../support/python-package.ts';

const CLUSTER = 't-conformance';
const NAMESPACE = 'team-a';
const MODEL = 'tiny-llama';
const PYTHON_CLIENT = 'openai==3.54.0';
const BASES = ['/v1', '/api/v2/external/v1', '/api/v2/external'];

const CHECKS = [
  'models.list',
  'models.retrieve',
  'chat',
  "chat with the namespace in the model's name",
  'chat stream',
  'chat stream with usage',
  'completion',
  'completion stream',
  'embeddings of a chat model',
  'wrong key',
  'unknown model',
  'bad request',
  'aborted stream',
];

const CLIENTS: { name: string; program: () => Promise<string>; script: string }[] = [
  { name: 'Python', program: async () => await ensurePythonPackage(PYTHON_CLIENT), script: 'client.py' },
  { name: 'Node', program: async () => process.execPath, script: 'client.ts' },
];

let cluster: Cluster;
let key = '';

function example(): InferenceDeployment {
  const text = readFileSync(join(repositoryRoot, 'examples/inference-deployment.yaml'), 'utf8');
  const object = parse(text) as InferenceDeployment;
  return { ...object, metadata: { ...object.metadata, namespace: NAMESPACE } };
}

/** Runs a client against a base and returns what each check printed. */
async function runChecks(program: string, script: string, base: string): Promise<Record<string, unknown>> {
  const engine = { namespace: NAMESPACE, service: `infer-${MODEL}`, port: 8000 };
  const output = await withPortForward(
    cluster,
    engine,
    async (engineUrl) =>
      await withGateway(cluster, async (origin) => {
        const environment = {
          INFER_BASE_URL: `${origin}${base}`,
          INFER_API_KEY: key,
          MODEL,
          INFER_NAMESPACE: NAMESPACE,
          INFER_ENGINE_METRICS: `${engineUrl}/metrics`,
        };
        const options = { env: environment, timeoutMs: 60_000 };
        return await tryRun(program, [join(import.meta.dirname, script)], options);
      }),
  );
  const lines = output.stdout.split('\n').filter((line) => line.startsWith('{'));
  if (lines.length === 0) throw new Error(`${script} made no check: ${output.stderr}`);
  const checks = lines.map((line) => JSON.parse(line) as { check: string; ok: boolean; error?: string });
  return Object.fromEntries(checks.map(({ check, ok, error }) => [check, ok ? 'ok' : error]));
}

beforeAll(async () => {
  await localClusterDown(CLUSTER, () => undefined);
  cluster = await localClusterUp({ name: CLUSTER, nodes: 1, progress: () => undefined, gpus: 1 });
  await installInfer(cluster, () => undefined);
  await applyObjects(cluster, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }]);
  await applyObjects(cluster, [example()]);
  const client = clientOf(cluster.kubeconfig);
  key = await createApiKey(client, NAMESPACE, 'conformance');
  await client.close();
  await kubectl(cluster, ['-n', NAMESPACE, 'wait', '--for=condition=Ready', `infer/${MODEL}`, '--timeout=110s']);
}, 900_000);
afterAll(async () => await localClusterDown(CLUSTER, () => undefined), 120_000);

describe.each(CLIENTS)('the openai client for $name', ({ program, script }) => {
  test.each(BASES)(
    'finds under %s what it expects',
    async (base) => {
      const everything = Object.fromEntries(CHECKS.map((check) => [check, 'ok']));
      expect(await runChecks(await program(), script, base)).toEqual(everything);
    },
    180_000,
  );
});
